"""A process with sockets of the machine: `outside.py listen` prints its id, a listening socket's number and its port, and
waits; `outside.py pass PROGRAM...` becomes PROGRAM, which inherits a fresh TCP socket as descriptor 9.
"""

import os
import socket
import sys

if sys.argv[1] == "listen":
    service = socket.create_server(("127.0.0.1", 0))
    print("outside", os.getpid(), service.fileno(), service.getsockname()[1], flush=True)
    sys.stdin.read()
else:
    fresh = socket.socket()
    os.dup2(fresh.fileno(), 9, inheritable=True)
    os.execv(sys.argv[2], sys.argv[2:])
