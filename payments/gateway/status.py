"""What an HTTP status that is not a success means: see `payments.borders.http`, which knows."""

from payments.borders.http import failure_of_status

__all__ = ["failure_of_status"]
