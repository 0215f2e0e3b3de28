"""How long to wait before a process that ended is started again."""

from workers.supervisor.spec import RestartPolicy


class RestartBackoff:
    """The state of one process under a RestartPolicy."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._deaths = 0

    def after(self, lived_seconds: float) -> float | None:
        """Return the delay in seconds after a life of that length, or None where it is time to give up."""
        policy = self._policy
        self._deaths = 1 if lived_seconds >= policy.stable_seconds else self._deaths + 1
        if self._deaths >= policy.quick_deaths:
            return None
        doubled: float = policy.first_delay_seconds * 2 ** (self._deaths - 1)
        return min(doubled, policy.longest_delay_seconds)
