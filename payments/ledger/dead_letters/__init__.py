"""Dead letters: how they are buried, found, sent back, changed, counted and archived."""
