"""Celery tasks: thin. Each calls one flow and acts on its ending."""
