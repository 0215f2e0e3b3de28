"""How long to wait, and when to stop trying."""
