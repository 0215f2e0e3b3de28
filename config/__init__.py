"""What can be set, and what Celery is told. Imports nothing else of Payferry."""
