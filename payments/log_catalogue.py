"""The table of log events at the end of docs/logs.md: `python -m payments.log_catalogue docs/logs.md` renews it."""

import sys
from pathlib import Path

from payments.log_events import LOG_EVENTS, LogEvent

_HEAD = "| event | level | meaning | fields |\n|---|---|---|---|\n"


def as_table() -> str:
    """Return a row for each event, in the order in which they are declared."""
    return _HEAD + "".join(_row(name, event) for name, event in LOG_EVENTS.items())


def renewed(page: str) -> str:
    """Return the page with the table as it is now in place of its end, which is the table as it was."""
    return page.partition(_HEAD)[0] + as_table()


def _row(name: str, event: LogEvent) -> str:
    fields = ", ".join(f"`{field}`" for field in event.fields.split())
    return f"| `{name}`{' ◆' if event.is_trail else ''} | {event.level} | {event.meaning} | {fields} |\n"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text()))
