"""What scripts that run other people's programs under ieum are asked for, and the ieum they run."""

import argparse
import os
import pathlib
import platform
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments(doc, what, known, page, installs=False):
    """The command line: some of `known` (all, where none is named), `--write` into `page`, and `--install` where the script can."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar=what.upper(), help=f"one of {', '.join(known)}; without any, all of them")
    parser.add_argument("--write", action="store_true", help=f"write the table into {page}")
    if installs:
        parser.add_argument("--install", action="store_true", help="install what is needed, first (apt, as root)")
    given = parser.parse_args()
    strange = [name for name in given.names if name not in known]
    if strange:
        parser.error(f"there is no {what} {' or '.join(strange)}: take of {', '.join(known)}")
    if given.names and given.write:
        parser.error("--write is for the whole table: leave the names out")
    given.names = given.names or list(known)
    return given


def ieum():
    """The command that is tried: the one that IEUM names, or a release build, made if it is not there."""
    if named := os.environ.get("IEUM"):
        return named
    subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "ieum"], cwd=ROOT, check=True)
    return str(ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/ieum")


def measured():
    """Of what a table tells: the kernel, the state of these sources, and the day."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    state = f"ieum at {commit}" if commit else "ieum as released"
    return f"Linux {platform.release()}; {state}; on {time.strftime('%Y-%m-%d')}."
