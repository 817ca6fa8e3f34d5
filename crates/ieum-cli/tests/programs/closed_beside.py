"""A connect that waits in one thread while another puts a second socket under its number: it ends, and the second one stays what it
was. Linux would let the first go on; ieum tells the caller EBADF.
"""

import errno
import os
import socket
import threading
import time

PATIENCE_S = 100
SYN_SENT = 2  # what TCP_INFO says of the state (TCP_SYN_SENT)
ADDRESS = ("127.0.0.1", 7000)

service = socket.create_server(ADDRESS, backlog=0)
# Its queue is full, so that the next one waits.
queued = socket.create_connection(ADDRESS)
first, second = socket.socket(), socket.socket()
outcome = []


def connects():
    try:
        first.connect(ADDRESS)
    except OSError as error:
        outcome.append(error.errno)
    else:
        outcome.append(0)


thread = threading.Thread(target=connects, daemon=True)
thread.start()
deadline = time.monotonic() + PATIENCE_S
while first.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != SYN_SENT:
    assert time.monotonic() < deadline, "the thread does not connect"
os.dup2(second.fileno(), first.fileno())
service.accept()
thread.join(PATIENCE_S)
print("ended", [errno.errorcode.get(code, code) for code in outcome], flush=True)
try:
    second.getpeername()
except OSError as error:
    print("second", errno.errorcode[error.errno], flush=True)
