"""Flower's options, in the form in which Flower reads them: the names of a module.

What stands here wins over Flower's own FLOWER_… variables; those of other names, such as FLOWER_CERTFILE, hold.
"""

import secrets
import sys

from flower.views.monitor import Metrics  # type: ignore[import-untyped]  # Flower ships no types
from tornado.web import authenticated

from config.flower_task import shown
from config.settings import load_settings

_told = load_settings().flower

address = _told.address
port = _told.port
url_prefix = _told.url_prefix
read_only = _told.read_only

logging = "warning"
natural_time = False  # the time of an event, as in the log, and not how long ago it was
tasks_columns = "name,kwargs,state,result,retries,received,runtime,worker"
format_task = shown  # on the pages; what must be told to nobody is left out where it is sent

max_tasks = _told.max_tasks
max_workers = 500
purge_offline_workers = 300  # seconds; a worker that was started anew is soon the only one of its name
persistent = False  # what happened is in the ledger; a file here would be another copy to look after
enable_events = False  # our workers send theirs by themselves: no need to ask all of them every five seconds
inspect_timeout = 3000.0  # milliseconds

if _told.basic_auth is not None:
    basic_auth = _told.basic_auth.get_secret_value().split(",")
else:
    _password = secrets.token_urlsafe(12)
    basic_auth = [f"payferry:{_password}"]
    print(f"Flower: http://{address}:{port} user payferry password {_password}", file=sys.stderr)  # noqa: T201 - asked for

# Flower asks nobody for a password here, and has no option for that. /healthcheck stays open: it says OK, no more.
Metrics.get = authenticated(Metrics.get)
