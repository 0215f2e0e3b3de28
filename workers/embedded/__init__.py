"""Real servers out of Python packages, for one machine without Docker."""
