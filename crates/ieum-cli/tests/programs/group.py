"""One to many: who hears a group, and who speaks to it.

    group.py hear GROUP PORT [INTERFACE]   says `ready`, then `heard WORD from ADDRESS` of the first datagram
    group.py say GROUP PORT WORD           says WORD to the group
"""

import socket
import struct
import sys


def hear(group, port, interface="0.0.0.0"):
    six = ":" in group
    hearer = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    hearer.bind(("", port))
    if six:
        request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", 0)
        hearer.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    else:
        request = socket.inet_aton(group) + socket.inet_aton(interface)
        hearer.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    print("ready", flush=True)
    word, address = hearer.recvfrom(100)
    print(f"heard {word.decode()} from {address[0]}", flush=True)


def say(group, port, word):
    speaker = socket.socket(socket.AF_INET6 if ":" in group else socket.AF_INET, socket.SOCK_DGRAM)
    speaker.sendto(word.encode(), (group, port))


what, group, port, *rest = sys.argv[1:]
{"hear": hear, "say": say}[what](group, int(port), *rest)
