"""Tries to reach addresses and says what each attempt came to and whether it took under a second.

    outcomes.py {tcp|udp}:ADDRESS:PORT...      an address of IPv6 in brackets
"""

import errno
import socket
import sys
import time

for target in sys.argv[1:]:
    kind, where = target.split(":", 1)
    address, port = where.rsplit(":", 1)
    address = address.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    begun = time.monotonic()
    try:
        if kind == "tcp":
            with socket.socket(family) as attempt:
                attempt.settimeout(20)
                attempt.connect((address, int(port)))
        else:
            with socket.socket(family, socket.SOCK_DGRAM) as attempt:
                attempt.sendto(b"anyone?", (address, int(port)))
        outcome = "reached"
    except TimeoutError:
        outcome = "ETIMEDOUT"
    except OSError as error:
        outcome = errno.errorcode.get(error.errno, str(error))
    print(target, outcome, "at once" if time.monotonic() - begun < 1 else "late", flush=True)
