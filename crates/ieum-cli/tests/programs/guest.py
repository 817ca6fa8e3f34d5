"""Programs that share a host.

guest.py listen PORT COUNT    accept COUNT connections, then wait until all have ended
guest.py hold PORT COUNT      open COUNT connections to 127.0.0.1:PORT, then read from the first until it ends
guest.py accept PORT          wait for one connection in a blocking call
guest.py ask PORT WORD        connect, say WORD, print the answer
guest.py echo PORT            answer one connection after the other, for ever
"""
import errno
import os
import resource
import socket
import sys


def say(*words):
    print(*words, flush=True)


def name_of(error):
    return errno.errorcode.get(error.errno, str(error))


def attempt(what, action):
    try:
        return action()
    except OSError as error:
        say(what, name_of(error))
        return None


def listener(port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(port)))
    server.listen(4096)
    return server


def listen(port, count):
    server = listener(port)
    say("ready")
    peers = [server.accept()[0] for _ in range(int(count))]
    say("accepted", len(peers))
    for peer in peers:
        attempt("read", lambda: peer.recv(1))
        peer.close()
    say("ended", len(peers))
    sys.stdin.read()


def hold(port, count):
    peers = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(int(count))]
    say("open", len(peers))
    end = attempt("read", lambda: peers[0].recv(1))
    if end is not None:
        say("read", "end" if end == b"" else end)
    attempt("socket", socket.socket)
    sys.exit(9)


def accept(port):
    server = listener(port)
    say("ready")
    attempt("accept", server.accept)
    sys.exit(9)


def ask(port, word):
    with socket.create_connection(("127.0.0.1", int(port))) as peer:
        peer.sendall(word.encode())
        peer.shutdown(socket.SHUT_WR)
        say(peer.makefile().read())


def echo(port):
    server = listener(port)
    say("ready")
    while True:
        peer, _ = server.accept()
        with peer:
            while data := peer.recv(65536):
                peer.sendall(data)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    {"listen": listen, "hold": hold, "accept": accept, "ask": ask, "echo": echo}[sys.argv[1]](*sys.argv[2:])
    os._exit(0)
