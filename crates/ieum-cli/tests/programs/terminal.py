"""Runs a program on a terminal of its own and prints what it shows there, then its exit code: `code N`.

    terminal.py PROGRAM...
"""

import os
import pty
import sys

process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    try:
        shown = os.read(terminal, 4096)
    except OSError:
        # Linux says EIO when nobody has the other end any more.
        shown = b""
    if not shown:
        break
    sys.stdout.write(shown.decode())
print("code", os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
