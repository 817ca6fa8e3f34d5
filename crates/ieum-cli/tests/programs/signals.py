"""Says which signals reach it.

    signals.py obedient    exits with 5 on SIGTERM
    signals.py stubborn    says so and goes on
    signals.py parent      starts a stubborn child, waits until it is ready, exits with 3
"""

import os
import signal
import subprocess
import sys

role = sys.argv[1]


def on_term(_number, _frame):
    print(f"{role} got SIGTERM", flush=True)
    if role == "obedient":
        sys.exit(5)


if role == "parent":
    child = subprocess.Popen([sys.executable, __file__, "stubborn"], stdout=subprocess.PIPE, text=True)
    print(child.stdout.readline(), end="", flush=True)
    # What the child says later is read by whoever has our standard output: it was handed on as descriptor 2.
    sys.stdout.flush()
    os._exit(3)

signal.signal(signal.SIGTERM, on_term)
print("ready", os.getpid(), flush=True)
if role == "stubborn":
    # The parent's pipe ends with the parent.
    os.dup2(2, 1)
while True:
    signal.pause()
