"""Looks a name up as every Python program does; prints its addresses."""

import socket
import sys

for name in sys.argv[1:]:
    try:
        found = sorted({entry[4][0] for entry in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)})
        print(name, len(found), found[0], flush=True)
    except socket.gaierror as error:
        print(name, "failed:", socket.EAI_NONAME == error.errno and "no such name" or error, flush=True)
