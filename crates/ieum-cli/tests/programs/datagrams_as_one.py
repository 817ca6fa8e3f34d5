"""datagrams_as_one.py echo ADDRESS COUNT: sends COUNT datagrams back to where they came from.
datagrams_as_one.py send ADDRESS COUNT: sends COUNT datagrams of 1000 bytes in one call (UDP_SEGMENT), then one of 20000,
and waits for each to come back."""
import socket
import struct
import sys

SOL_UDP, UDP_SEGMENT = 17, 103
PORT = 7000

role, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
datagrams = socket.socket(family, socket.SOCK_DGRAM)
datagrams.settimeout(60)

if role == "echo":
    datagrams.bind((address, PORT))
    print("ready", flush=True)
    for _ in range(count):
        payload, sender = datagrams.recvfrom(65536)
        datagrams.sendto(payload, sender)
else:
    datagrams.connect((address, PORT))
    parts = [bytes([number]) * 1000 for number in range(count)]
    datagrams.sendmsg([b"".join(parts)], [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", 1000))])
    back = [datagrams.recv(65536) for _ in parts]
    assert sorted(back) == parts, [len(part) for part in back]
    large = bytes(range(250)) * 80
    datagrams.send(large)
    assert datagrams.recv(65536) == large
    print(f"{count} datagrams of 1000 and one of {len(large)} came back")
