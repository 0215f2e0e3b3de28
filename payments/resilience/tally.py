"""What one process has seen of a closed breaker since it last told the others."""


class Tally:
    """Counts of calls, and of failures in a row in the way that lets reports be strung together.

    `first` is the row of failures before the first success, `longest` the longest, `row` the one that goes on.
    """

    __slots__ = ("calls", "failures", "first", "longest", "row", "since", "slow")

    def __init__(self, since: float) -> None:
        self.since = since
        self.calls = self.failures = self.slow = 0
        self.first = self.longest = self.row = 0

    def add(self, *, failed: bool, slow: bool) -> None:
        """Count one call."""
        self.calls += 1
        self.slow += slow
        if not failed:
            self.row = 0
            return
        self.failures += 1
        self.row += 1
        self.longest = max(self.longest, self.row)
        if self.failures == self.calls:
            self.first = self.row

    def report(self) -> tuple[int, ...]:
        """Return the arguments of `lua/breaker_tell.lua` from `calls` on, but for the age."""
        return self.calls, self.failures, self.slow, self.first, self.longest, self.row


NOTHING = (0, 0, 0, 0, 0, 0, 0)
"""The report of a tally that has counted nothing."""
