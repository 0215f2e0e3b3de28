"""Who sits at this terminal."""

import getpass
import os
import socket


def operator() -> str:
    """Return user@host, which signs what a person does."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that nobody has given a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
