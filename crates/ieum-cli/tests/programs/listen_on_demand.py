"""Listens and stops listening when told to on standard input: `listen PORT`, `close`, `quit`. Answers each line."""

import socket
import sys

service = None
print("ready", flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == "listen":
        service = socket.socket()
        service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        service.bind(("0.0.0.0", int(words[1])))
        service.listen(16)
    elif words[0] == "close":
        service.close()
    elif words[0] == "quit":
        break
    print("done", words[0], flush=True)
