"""A name server with a handful of answers, for the namespace it runs in: UDP and TCP, A records.

    name_server.py ADDRESS...      port 53 of each address, of either family; prints `ready`

`ieum.test` is 192.0.2.80. `many.test` has 60 addresses, too many for a datagram of 512 bytes, so that its answer
over UDP is cut and asked for again over TCP. `known.ieum` should never be asked for. AAAA is answered with no record,
all other names with NXDOMAIN.
"""

import socket
import socketserver
import struct
import sys
import threading

NAMES = {
    "ieum.test": ["192.0.2.80"],
    "many.test": [f"192.0.2.{n}" for n in range(100, 160)],
    "known.ieum": ["192.0.2.81"],
}
A, AAAA = 1, 28
NO_SUCH_NAME, TRUNCATED, ANSWER = 3, 0x0200, 0x8480


def question(query):
    """The name, the type, and where the question ends."""
    labels, position = [], 12
    while query[position]:
        length = query[position]
        labels.append(query[position + 1 : position + 1 + length].decode())
        position += 1 + length
    (kind,) = struct.unpack_from("!H", query, position + 1)
    return ".".join(labels).lower(), kind, position + 5


def answer(query, room):
    name, kind, end = question(query)
    records = NAMES.get(name)
    addresses = records if records and kind == A else []
    flags = ANSWER | (0 if records else NO_SUCH_NAME)
    body = b"".join(
        struct.pack("!HHHIH", 0xC00C, A, 1, 60, 4) + socket.inet_aton(address) for address in addresses
    )
    if end + len(body) > room:
        flags, addresses, body = flags | TRUNCATED, [], b""
    header = query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0)
    return header + query[12:end] + body


class Datagrams(socketserver.BaseRequestHandler):
    def handle(self):
        query, service = self.request
        service.sendto(answer(query, 512), self.client_address)


class Streams(socketserver.StreamRequestHandler):
    def handle(self):
        while length := self.rfile.read(2):
            reply = answer(self.rfile.read(struct.unpack("!H", length)[0]), 65535)
            self.wfile.write(struct.pack("!H", len(reply)) + reply)


class UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


for address in sys.argv[1:]:
    UdpServer.address_family = TcpServer.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for server in (UdpServer((address, 53), Datagrams), TcpServer((address, 53), Streams)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
