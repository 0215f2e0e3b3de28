"""`payferry dlq`: dead letters found, understood, mended, sent back, put away."""
