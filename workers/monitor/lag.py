"""How far the bridges are behind Kafka."""

from payments.streams.reader import TopicReader


def read_lag(reader: TopicReader) -> dict[int, int]:
    """Return how many records of each partition the bridges have not committed. Raises KafkaAway."""
    committed, ends = reader.committed(), reader.ends()
    return {number: max(0, end - max(begin, committed[number])) for number, (begin, end) in ends.items()}
