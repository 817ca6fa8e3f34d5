"""Tries to reach addresses and says what each attempt came to and whether it took under a second.

    outcomes.py {tcp|udp}:ADDRESS:PORT...
"""

import errno
import socket
import sys
import time

for target in sys.argv[1:]:
    kind, address, port = target.split(":")
    begun = time.monotonic()
    try:
        if kind == "tcp":
            with socket.socket() as attempt:
                attempt.settimeout(20)
                attempt.connect((address, int(port)))
        else:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attempt:
                attempt.sendto(b"anyone?", (address, int(port)))
        outcome = "reached"
    except TimeoutError:
        outcome = "ETIMEDOUT"
    except OSError as error:
        outcome = errno.errorcode.get(error.errno, str(error))
    print(target, outcome, "at once" if time.monotonic() - begun < 1 else "late", flush=True)
