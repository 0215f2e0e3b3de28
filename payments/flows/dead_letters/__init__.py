"""The verbs of dead letters: bury, send back, follow a breaker, edit, archive."""
