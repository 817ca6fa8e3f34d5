"""A client that sees, through the exit, what a service on the machine does to its connection.

    far_end.py ADDRESS PORT   asks for `reset`, `half` and `hello`, each on its own connection, and says what came
"""

import errno
import socket
import sys

for wish in ("hello", "half", "reset"):
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30)
    connection.sendall(wish.encode() + b"\n")
    if wish == "half":
        connection.shutdown(socket.SHUT_WR)
    received = b""
    try:
        while data := connection.recv(4096):
            received += data
        end = "end"
    except OSError as error:
        end = errno.errorcode.get(error.errno, str(error))
    print(wish, received.decode(), end, flush=True)
