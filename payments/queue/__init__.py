"""The Celery queue, seen as what it is here: a line of wake-up calls."""
