"""Become another program that dies with its parent, even when the parent is killed with SIGKILL.

    python tether.py --parent PID [--signal TERM] [--account NAME] -- COMMAND…

Linux only (PR_SET_PDEATHSIG, prctl(2)); elsewhere the command runs untied, and `SUPPORTED` is False. The kernel watches
the *thread* that started the child: start it from a thread that lives as long as the child should.
This file is also run as a script by an isolated interpreter, so it imports the standard library alone.
"""

import argparse
import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Sequence

SUPPORTED = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1


def tethered(
    command: Sequence[str], *, death_signal: signal.Signals = signal.SIGTERM, account: str | None = None
) -> list[str]:
    """Return the command that runs `command` tied to this process, as the system account of that name."""
    options = ["--parent", str(os.getpid()), "--signal", death_signal.name]
    if account is not None:
        options += ["--account", account]
    return [sys.executable, "-I", "-S", __file__, *options, "--", *command]


def main(arguments: Sequence[str]) -> None:
    """Drop privileges, tie, and become the command; does not return."""
    given = _parser().parse_args(arguments)
    if given.account is not None:
        _become(given.account)
    # after the change of user, which clears the tie
    _tie(signal.Signals[given.signal], given.parent)
    _restore_signals()
    try:
        os.execvp(given.command[0], given.command)  # noqa: S606  # becoming the program is what this file is for
    except OSError as error:
        sys.exit(f"cannot run {given.command[0]}: {error.strerror}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run a command that dies with its parent.")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", default="SIGTERM")
    parser.add_argument("--account")
    parser.add_argument("command", nargs="+")
    return parser


def _become(account: str) -> None:
    entry = pwd.getpwnam(account)
    os.initgroups(account, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _tie(death_signal: signal.Signals, parent: int) -> None:
    if not SUPPORTED:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:  # it died before the tie was made, so no signal will come
        sys.exit("the parent is gone")


def _restore_signals() -> None:
    """Undo what the interpreter ignores for itself, which exec would hand on."""
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)


if __name__ == "__main__":
    main(sys.argv[1:])
