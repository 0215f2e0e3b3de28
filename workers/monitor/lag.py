"""How far the bridges are behind Kafka, and whether they take anything at all."""

from collections.abc import Mapping

from payments.streams.reader import TopicReader

Positions = Mapping[int, tuple[int, int]]
"""By partition: the offset before which all is committed, or no longer kept, and the next one to be produced."""


def read_positions(reader: TopicReader) -> Positions:
    """Return how far the bridges, and the producers, have come. Raises KafkaAway."""
    committed, ends = reader.committed(), reader.ends()
    return {number: (max(begin, committed[number]), end) for number, (begin, end) in ends.items()}


def lag_of(positions: Positions) -> dict[int, int]:
    """Return how many records of each partition the bridges have not committed."""
    return {number: max(0, end - taken) for number, (taken, end) in positions.items()}


class Untaken:
    """Knows for how long records have come and none was committed.

    Those that were there before the last commit say nothing: a topic that is quiet may end in transaction markers,
    which nobody commits.
    """

    def __init__(self) -> None:
        self._taken = -1
        self._end = 0
        self._since: float | None = None

    def note(self, positions: Positions, now: float) -> float:
        """Take what was read at `now`, in seconds of a clock that does not go back; return for how long it is so."""
        taken, end = (sum(each[side] for each in positions.values()) for side in (0, 1))
        if taken != self._taken:
            self._taken, self._end, self._since = taken, end, None
        elif end > self._end and self._since is None:
            self._since = now
        return now - self._since if self._since is not None else 0.0
