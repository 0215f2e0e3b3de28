"""What a supervised process is, as values."""

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """When a process that ended is started again, and when no more. All durations in seconds.

    The first restart waits `first_delay_seconds`, each further one twice as long, up to `longest_delay_seconds`. A
    process that was up for `stable_seconds` starts afresh. After `quick_deaths` ends in a row, none of them stable,
    the supervisor gives up.
    """

    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 5.0
    stable_seconds: float = 10.0
    quick_deaths: int = 8


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """A process to run, `instances` times.

    `command` is an argument list, run without a shell; `$NAME` and `${NAME}` in it stand for the variables of the
    process's environment, which is ours, `env` over it, and PROCESS_NAME (such as `worker.2`) and PROCESS_INSTANCE
    (counted from 1). Programs are first looked for beside our interpreter, so no virtual environment need be active.
    `ready` is asked again and again while the supervisor waits for readiness.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    instances: int = 1
    ready: Callable[[], bool] | None = None
    restart: RestartPolicy = RestartPolicy()

    def label(self, instance: int) -> str:
        """Return the name of one instance, counted from 1: `worker`, or `worker.2` where there are several."""
        return self.name if self.instances == 1 else f"{self.name}.{instance}"

    def environment(self, instance: int, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return the whole environment of one instance."""
        own = {"PROCESS_NAME": self.label(instance), "PROCESS_INSTANCE": str(instance)}
        return {**inherited, **self.env, **own}

    def arguments(self, environment: Mapping[str, str]) -> list[str]:
        """Return the command with its variables filled in; ValueError names one that is not set."""
        try:
            return [string.Template(part).substitute(environment) for part in self.command]
        except KeyError as missing:
            raise ValueError(f"{self.name}: its command names {missing.args[0]}, which is not set") from missing
