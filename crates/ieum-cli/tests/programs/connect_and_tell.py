"""connect_and_tell.py ADDRESS PORT: says ready, and, when told to, what becomes of a connection."""
import socket
import sys

print("ready", flush=True)
sys.stdin.readline()
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60)
    print("connected", flush=True)
except OSError as error:
    print(str(error).lower(), flush=True)
