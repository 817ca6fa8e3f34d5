"""Listens and stops listening when told to on standard input. Answers each line.

    listen PORT [ADDRESS [alone]]      on 0.0.0.0 unless told otherwise; `alone`: for IPv6 alone
    close
    quit
"""

import socket
import sys

service = None
print("ready", flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == "listen":
        address = words[2] if len(words) > 2 else "0.0.0.0"
        service = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if words[3:] == ["alone"]:
            service.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        service.bind((address, int(words[1])))
        service.listen(16)
    elif words[0] == "close":
        service.close()
    elif words[0] == "quit":
        break
    print("done", words[0], flush=True)
