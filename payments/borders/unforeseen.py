"""The name of an error that came past every other border."""

from payments.borders.celery import failure_of_celery
from payments.borders.system import failure_of_system
from payments.failures import Failure, Unexpected


def failure_of(error: BaseException, operation: str) -> Failure:
    """Return our own failures as they are, what Celery and the system raise by their names, and Unexpected otherwise.

    What nobody foresaw is named by its type alone: its text may hold personal data.
    """
    if isinstance(error, Failure):
        return error
    known = failure_of_celery(error, operation) or failure_of_system(error, operation=operation)
    return known or Unexpected(f"{type(error).__name__} was raised", operation=operation)
