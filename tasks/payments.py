"""The task that works off one payment event."""

from celery import shared_task

from config.celery import PROCESS_TASK
from payments.flows.ending import RetryLater, Waiting, words_of
from payments.flows.process import process
from tasks.again import Again, RetryingTask
from tasks.desk import desk


@shared_task(name=PROCESS_TASK, base=RetryingTask)
def process_payment(*, inbox_id: int, provider: str, payment_id: str) -> str:  # noqa: ARG001 - see below
    """Work off inbox row `inbox_id`; return how it ended. `provider` and `payment_id` are for the reader of Flower."""
    ending = process(desk(), inbox_id)
    match ending:
        case RetryLater() | Waiting() if desk().policy.keeps_message(ending):
            raise Again(ending.code, ending.delay_seconds)
        case _:  # what is due later than a message should wait in a worker is left to the sweeper
            return words_of(ending)
