"""Reading a Procfile."""

import shlex
from collections.abc import Callable, Mapping

from honcho.environ import parse_procfile

from workers.supervisor.spec import ProcessSpec


def read_procfile(
    text: str,
    *,
    env: Mapping[str, str] | None = None,
    instances: Mapping[str, int] | None = None,
    ready: Mapping[str, Callable[[], bool]] | None = None,
) -> list[ProcessSpec]:
    """Return the processes of a Procfile, in its order, with this environment over ours.

    `instances` and `ready` are by process name; 0 instances leaves a process out. Raises ValueError where they name a
    process that the Procfile has not.
    """
    counts, checks = instances or {}, ready or {}
    commands: dict[str, str] = parse_procfile(text).processes
    unknown = (counts.keys() | checks.keys()) - commands.keys()
    if unknown:
        raise ValueError(f"no such process in the Procfile: {', '.join(sorted(unknown))}")
    return [
        ProcessSpec(
            name=name,
            command=shlex.split(command),
            env=env or {},
            instances=counts.get(name, 1),
            ready=checks.get(name),
        )
        for name, command in commands.items()
        if counts.get(name, 1) > 0
    ]
