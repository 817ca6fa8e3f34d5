"""Connects, writes and goes away at once.

    write_and_go.py ADDRESS PORT COUNT   COUNT bytes in one write
    write_and_go.py ADDRESS PORT full    as many as are taken without waiting; says how many
"""

import socket
import sys

connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30)
if sys.argv[3] == "full":
    connection.setblocking(False)
    sent = 0
    try:
        while True:
            sent += connection.send(b"x" * 65536)
    except BlockingIOError:
        pass
    print("sent", sent, flush=True)
else:
    connection.sendall(b"x" * int(sys.argv[3]))
connection.close()
