"""A UDP echo service, and clients of it.

    echo_udp.py serve ADDRESS PORT        prints `ready`, serves until ended
    echo_udp.py call ADDRESS PORT COUNT   sends datagrams of many sizes, one after another, connected and not
    echo_udp.py both COUNT                both in one process, on 127.0.0.1
"""

import random
import socket
import sys
import threading


def bound(address, port):
    service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    service.bind((address, port))
    return service


def serve(service):
    while True:
        data, source = service.recvfrom(65536)
        service.sendto(data, source)


def call(address, port, count):
    own = random.Random(7)
    good = 0
    for connected in (False, True):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.settimeout(60)
        if connected:
            client.connect((address, port))
        for number in range(count):
            payload = number.to_bytes(4, "big") + own.randbytes(own.randrange(0, 1400))
            if connected:
                client.send(payload)
                answer = client.recv(65536)
            else:
                client.sendto(payload, (address, port))
                answer, source = client.recvfrom(65536)
                if source != (socket.gethostbyname(address), port):
                    print(f"an answer from {source}, not from {(address, port)}")
                    return 1
            good += answer == payload
    print(f"{good} of {2 * count} datagrams came back", flush=True)
    return 0 if good == 2 * count else 1


role = sys.argv[1]
if role == "serve":
    service = bound(sys.argv[2], int(sys.argv[3]))
    print("ready", flush=True)
    serve(service)
elif role == "call":
    sys.exit(call(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
else:
    service = bound("127.0.0.1", 0)
    threading.Thread(target=serve, args=(service,), daemon=True).start()
    sys.exit(call("127.0.0.1", service.getsockname()[1], int(sys.argv[2])))
