"""Blocking sockets in threads: a thread a connection on both sides, each client with bytes of its own."""

import random
import socket
import socketserver
import sys
import threading


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    daemon_threads = True
    allow_reuse_address = True


def call(port, number, good):
    own = random.Random(number)
    payload = own.randbytes(own.randrange(1, 300000))
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        def send():
            connection.sendall(payload)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        received = b"".join(iter(lambda: connection.recv(50000), b""))
        sender.join()
    good[number] = received == payload


clients = int(sys.argv[1])
with Server(("127.0.0.1", 0), Echo) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    good = [False] * clients
    threads = [threading.Thread(target=call, args=(server.server_address[1], i, good)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{sum(good)} of {clients} threads got their own bytes", flush=True)
    server.shutdown()
sys.exit(0 if all(good) else 1)
