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
    child = subprocess.Popen([sys.executable, __file__, "stubborn"])
    # The child stops itself when its handler is in place.
    os.waitpid(child.pid, os.WUNTRACED)
    os.kill(child.pid, signal.SIGCONT)
    os._exit(3)

signal.signal(signal.SIGTERM, on_term)
print("ready", os.getpid(), flush=True)
if role == "stubborn":
    os.kill(os.getpid(), signal.SIGSTOP)
while True:
    signal.pause()
