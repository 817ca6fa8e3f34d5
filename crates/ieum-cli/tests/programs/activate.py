"""Socket activation (sd_listen_fds(3)): listens, and executes the service in its own place when somebody connects.

    activate.py PORT        the activator
    activate.py             the service: answers one connection in capitals

The listening descriptor is number 3, as the service expects it; LISTEN_PID says whom it is for.
"""

import os
import select
import socket
import sys

FIRST = 3

if len(sys.argv) > 1:
    listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
    print("waits", flush=True)
    select.select([listener], [], [])
    number = listener.detach()
    if number == FIRST:
        os.set_inheritable(FIRST, True)
    else:
        os.dup2(number, FIRST)
        os.close(number)
    environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    os.execve(sys.executable, [sys.executable, __file__], environment)

assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_PID"] == str(os.getpid())
listener = socket.socket(fileno=FIRST)
assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
connection, _ = listener.accept()
line = connection.makefile().readline()
connection.sendall(line.upper().encode())
connection.close()
print("served", flush=True)
