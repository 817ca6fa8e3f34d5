"""One connection that has ended in both directions is kept while many others end: it is told of all the same."""

import resource
import socket

# More than ieum keeps of such without looking which of them are held.
OTHERS = 1500

resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
service = socket.create_server(("127.0.0.1", 7000))


def ended():
    client = socket.create_connection(service.getsockname())
    server = service.accept()[0]
    for end in client, server:
        end.shutdown(socket.SHUT_WR)
    assert client.recv(1) == server.recv(1) == b""
    return client, server


def reset():
    client = socket.create_connection(service.getsockname())
    server = service.accept()[0]
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.close()
    try:
        client.recv(1)
    except ConnectionResetError:
        return client
    raise AssertionError("a reset is told")


kept, names = [*ended(), reset()], []
for end in kept:
    names.append(end.getsockname())
for _ in range(OTHERS):
    for end in (*ended(), reset()):
        end.close()
print("kept", [end.getsockname() for end in kept] == names, kept[0].getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), flush=True)
