"""Asking a process' probe: `python -m workers.pulse.ask live 9465`, for health checks of containers.

It imports the standard library alone: a check every few seconds must cost little.
"""

import http.client
import sys

PATHS = {"live": "/livez", "ready": "/readyz"}

_SECONDS = 3.0
_LONGEST_BYTES = 500
_OK = 200


def ask(what: str, port: int, address: str = "127.0.0.1") -> tuple[bool, str]:
    """Return whether the process at that port is `live` or `ready`, and its words, in one line. Never raises."""
    connection = http.client.HTTPConnection(address, port, timeout=_SECONDS)
    try:
        connection.request("GET", PATHS[what])
        answer = connection.getresponse()
        words = answer.read(_LONGEST_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return False, f"no answer at {address}:{port}: {error}"
    finally:
        connection.close()
    return answer.status == _OK, " ".join(words.split())


def main(arguments: list[str]) -> int:
    """Print what is answered; return 0 only where all is well."""
    if len(arguments) != 2 or arguments[0] not in PATHS or not arguments[1].isdecimal():  # noqa: PLR2004 - two words
        sys.stderr.write(f"python -m workers.pulse.ask {'|'.join(PATHS)} PORT\n")
        return 2
    is_well, words = ask(arguments[0], int(arguments[1]))
    sys.stdout.write(f"{words}\n")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
