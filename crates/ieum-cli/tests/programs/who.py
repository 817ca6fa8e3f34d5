"""Who is there: a server that tells callers who they are, and what calls it.

    who.py serve PORT COUNT       says `ready`, and of each caller `from ADDRESS`, until COUNT have come and gone
    who.py ask NAME PORT          says what the server told
    who.py hold PORT              says `ready`, keeps whoever calls, and says `N held` or `N left` whenever one has come
                                  or gone; ends when it is told anything, or that nothing will come
    who.py late PORT              says `ready`, takes one caller, and reads only when it is told to: then `read N end`
    who.py crowd NAME PORT COUNT  opens COUNT connections and says `open`; then `ended` and how often each way they
                                  ended, and `again` and what came of another try
"""

import collections
import errno
import selectors
import socket
import sys


def listener(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, backlog=4096, dualstack_ipv6=True)
    print("ready", flush=True)
    return server


def plain(address):
    return address.removeprefix("::ffff:")


def serve(port, count):
    server = listener(port)
    for _ in range(count):
        connection, address = server.accept()
        with connection:
            print("from", plain(address[0]), flush=True)
            connection.sendall(b"you are " + plain(address[0]).encode() + b"\n")
            while connection.recv(1000):
                pass


def ask(name, port):
    with socket.create_connection((name, port), timeout=60) as connection:
        connection.shutdown(socket.SHUT_WR)
        told = b""
        while part := connection.recv(1000):
            told += part
    print(told.decode(), end="", flush=True)


def hold(port):
    server = listener(port)
    server.setblocking(False)
    waiting = selectors.DefaultSelector()
    waiting.register(server, selectors.EVENT_READ)
    waiting.register(sys.stdin, selectors.EVENT_READ)
    held = 0
    while True:
        for key, _ in waiting.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is server:
                connection, _ = server.accept()
                held += 1
                waiting.register(connection, selectors.EVENT_READ)
                print(held, "held", flush=True)
                continue
            try:
                gone = not key.fileobj.recv(1000)
            except OSError:
                gone = True
            if gone:
                waiting.unregister(key.fileobj)
                key.fileobj.close()
                held -= 1
                print(held, "left", flush=True)


def late(port):
    server = listener(port)
    connection, _ = server.accept()
    sys.stdin.readline()
    count = 0
    try:
        while part := connection.recv(100_000):
            count += len(part)
        print("read", count, "end", flush=True)
    except OSError as error:
        print("read", count, errno.errorcode.get(error.errno, str(error)), flush=True)


def crowd(name, port, count):
    address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][4]
    connections = [socket.create_connection(address[:2], timeout=60) for _ in range(count)]
    print("open", flush=True)
    ended = collections.Counter()
    for connection in connections:
        # As long as it takes: who started this knows when it has been too long.
        connection.settimeout(None)
        try:
            outcome = "data" if connection.recv(1) else "end"
        except OSError as error:
            outcome = errno.errorcode.get(error.errno, str(error))
        ended[outcome] += 1
    print("ended", *(f"{outcome} {number}" for outcome, number in sorted(ended.items())), flush=True)
    try:
        socket.create_connection(address[:2], timeout=60)
        print("again reached", flush=True)
    except OSError as error:
        print("again", errno.errorcode.get(error.errno, str(error)), flush=True)


what, *words = sys.argv[1:]
{
    "serve": lambda port, count: serve(int(port), int(count)),
    "ask": lambda name, port: ask(name, int(port)),
    "hold": lambda port: hold(int(port)),
    "late": lambda port: late(int(port)),
    "crowd": lambda name, port, count: crowd(name, int(port), int(count)),
}[what](*words)
