"""Another user of the machine: finds the sockets that stand for ieum's by the names which the kernel lists, and speaks to
them from sockets that bear names of the same kind. Prints how many streams and datagrams it got rid of, and how often it
connected to the socket by which others get their far ends. As `heir` it takes the name of a listening socket as soon as it is given
up, and listens there; when it is told to end, it says over how many of the connections that it got somebody speaks. The first argument
has the inodes of the ieum's own sockets, so that it is left to one of those that run beside it.
"""

import errno
import socket
import struct
import sys
import time

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, DUMP, DONE = 4, 20, 0x301, 3
ALL_STATES, SHOW_NAME, NAME = 0xFFFFFFFF, 1, 0
LISTENING = 10
PREFIX = 1 + 16  # the zero of an abstract name, and the run's own bytes
NO_LOCAL, NOTHING_ELSE = bytes(17), bytes(8)  # of a datagram: to which address; hops, service, interface, pieces
JOINTS = 200  # more than that socket's queue has places
PATIENCE_S = 100
NUMBERS = range(1, 9)  # of sockets that the victim may have


def sockets():
    """Kind, state, inode and name of every AF_UNIX socket."""
    diag = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, ALL_STATES, 0, SHOW_NAME, 0, 0)
    diag.send(struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, DUMP, 1, 0) + request)
    while True:
        answer, at = diag.recv(1 << 20), 0
        while at < len(answer):
            length, what = struct.unpack_from("=IH", answer, at)
            if what == DONE:
                return
            _, kind, state, _, inode = struct.unpack_from("=BBBBI", answer, at + 16)
            attribute = at + 32
            while attribute < at + length:
                size, which = struct.unpack_from("=HH", answer, attribute)
                if which == NAME:
                    yield kind, state, inode, answer[attribute + 4 : attribute + size]
                attribute += (size + 3) & ~3
            at += (length + 3) & ~3


def of_one_run():
    """Kind, state and name of the sockets of the ieum that is meant."""
    inodes, found = set(map(int, sys.argv[1].split(","))), list(sockets())
    joint = next(name for _, _, inode, name in found if inode in inodes and len(name) == PREFIX + 9 and name[PREFIX:][:1] == b"l")
    return [(kind, state, name) for kind, state, _, name in found if name[:PREFIX] == joint[:PREFIX]]


def intrude():
    streams = datagrams = joints = 0
    kept = []
    for kind, state, name in of_one_run():
        if name[PREFIX : PREFIX + 1] == b"l":
            for _ in range(JOINTS):
                end = socket.socket(socket.AF_UNIX, kind)
                end.setblocking(False)
                joints += end.connect_ex(name) == 0
                kept.append(end)
        if name[PREFIX : PREFIX + 1] != b"s":
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
                    end.bind(name[:PREFIX] + b"r" + own + remote + NO_LOCAL + NOTHING_ELSE)
                    datagrams += end.sendto(b"intruder", name) == 8
            except OSError:
                pass
    print("intruder", streams, datagrams, joints, flush=True)
    input()


def inherit():
    listening = [
        name
        for kind, state, name in of_one_run()
        if kind == socket.SOCK_STREAM and state == LISTENING and name[PREFIX : PREFIX + 1] == b"s"
    ]
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    print("waits", len(listening), flush=True)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and not any(takes(end, name) for name in listening):
        pass
    end.listen()
    end.setblocking(False)
    print("listens", flush=True)
    input()
    print("heard", sum(map(is_spoken_to, accepted(end))), flush=True)


def accepted(end):
    while True:
        try:
            yield end.accept()[0]
        except BlockingIOError:
            return


def is_spoken_to(connection):
    """It brings bytes, or may still."""
    connection.setblocking(False)
    try:
        return connection.recv(100) != b""
    except BlockingIOError:
        return True


def takes(end, name):
    try:
        end.bind(name)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


if sys.argv[2:] == ["heir"]:
    inherit()
else:
    intrude()
