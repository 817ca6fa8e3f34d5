"""Enters as many Landlock domains as a process can be in, and becomes a program.

    domains.py PROGRAM...
"""

import ctypes
import errno
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS = 38
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
BIND_TCP_AND_CONNECT_TCP = 3

libc = ctypes.CDLL(None, use_errno=True)


def enter():
    handled = struct.pack("@QQ", 0, BIND_TCP_AND_CONNECT_TCP)
    domain = libc.syscall(LANDLOCK_CREATE_RULESET, handled, len(handled), 0)
    if domain < 0:
        sys.exit("this kernel has no Landlock")
    entered = libc.syscall(LANDLOCK_RESTRICT_SELF, domain, 0)
    os.close(domain)
    return entered == 0


libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
while enter():
    pass
if ctypes.get_errno() != errno.E2BIG:
    sys.exit("no domain can be entered: " + os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
