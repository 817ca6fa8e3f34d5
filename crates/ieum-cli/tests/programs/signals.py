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


def say(line):
    # Not print: a signal may come in the middle of it, and its buffer cannot be entered twice.
    os.write(1, f"{line}\n".encode())


def on_term(_number, _frame):
    say(f"{role} got SIGTERM")
    if role == "obedient":
        sys.exit(5)


if role == "parent":
    child = subprocess.Popen([sys.executable, __file__, "stubborn"])
    # The child stops itself when its handler is in place.
    os.waitpid(child.pid, os.WUNTRACED)
    os.kill(child.pid, signal.SIGCONT)
    os._exit(3)

signal.signal(signal.SIGTERM, on_term)
say(f"ready {os.getpid()}")
if role == "stubborn":
    os.kill(os.getpid(), signal.SIGSTOP)
while True:
    signal.pause()
