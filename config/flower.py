"""Flower's options, in the form in which Flower reads them: names of a module. Its own FLOWER_… variables win."""

import secrets
import sys

from config.settings import load_settings

_told = load_settings().flower

address = _told.address
port = _told.port
natural_time = False
tasks_columns = "name,uuid,state,kwargs,result,received,started,runtime,worker,retries"
logging = "warning"

if _told.basic_auth is not None:
    basic_auth = _told.basic_auth.get_secret_value().split(",")
else:
    _password = secrets.token_urlsafe(12)
    basic_auth = [f"payferry:{_password}"]
    print(f"Flower: http://{address}:{port} user payferry password {_password}", file=sys.stderr)  # noqa: T201 - asked for
