"""Datagrams, told line by line what to do; each line is answered by `done` or the name of the error.

    bind ADDRESS PORT      a new socket of that address's family
    connect ADDRESS PORT   the socket's remote
    send ADDRESS PORT WORD
    say WORD               to the connected remote
    hear                   prints `heard WORD from ADDRESS`
    answer                 hears, and sends back what it heard
    error                  prints `error NAME`, that of SO_ERROR, once there is one
    mark                   sets SO_MARK, which needs a right
    close
    quit
"""

import errno
import select
import socket
import sys

own = None


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def opened(address):
    global own
    if own is None:
        own = socket.socket(family(address), socket.SOCK_DGRAM)
    return own


def obey(what, *words):
    global own
    if what == "bind":
        own = socket.socket(family(words[0]), socket.SOCK_DGRAM)
        own.bind((words[0], int(words[1])))
    elif what == "connect":
        opened(words[0]).connect((words[0], int(words[1])))
    elif what == "send":
        opened(words[0]).sendto(words[2].encode(), (words[0], int(words[1])))
    elif what == "say":
        own.send(words[0].encode())
    elif what == "hear":
        word, source = own.recvfrom(2000)
        print("heard", word.decode(), "from", source[0], flush=True)
    elif what == "answer":
        word, source = own.recvfrom(2000)
        own.sendto(word, source)
    elif what == "error":
        waiting = select.poll()
        waiting.register(own, select.POLLIN)
        waiting.poll()
        number = own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        print("error", errno.errorcode.get(number, number), flush=True)
    elif what == "mark":
        own.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 7)
    elif what == "close":
        own.close()
        own = None


print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "quit":
        break
    try:
        obey(*line.split())
        print("done", flush=True)
    except OSError as error:
        print(errno.errorcode.get(error.errno, error), flush=True)
