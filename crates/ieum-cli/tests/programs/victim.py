"""Says what reaches it: connections on port 80, datagrams on port 53. For each connection it makes one itself."""

import socket
import threading


def datagrams():
    while True:
        payload, sender = service.recvfrom(100)
        print("datagram", payload.decode(), sender[0], flush=True)


service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
service.bind(("0.0.0.0", 53))
threading.Thread(target=datagrams, daemon=True).start()
listener = socket.create_server(("0.0.0.0", 80))
print("ready", flush=True)
while True:
    connection, peer = listener.accept()
    with connection:
        print("stream", connection.recv(100).decode(), peer[0], flush=True)
    own = socket.create_connection(("127.0.0.1", 80))
    listener.accept()[0].close()
    own.close()
    print("connected", flush=True)
