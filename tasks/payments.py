"""The task that works off one payment event."""

from typing import Any

from celery import shared_task

from config.celery import PROCESS_TASK
from payments.flows.ending import RetryLater, Waiting, name_of
from payments.flows.process import process
from tasks.again import Again, RetryingTask
from tasks.desk import desk


@shared_task(name=PROCESS_TASK, base=RetryingTask)
def process_payment(*, inbox_id: int, provider: str, payment_id: str) -> dict[str, Any]:
    """Work off inbox row `inbox_id`. `provider` and `payment_id` are there for the reader of Flower."""
    ending = process(desk(), inbox_id)
    match ending:
        case RetryLater() | Waiting() if desk().policy.keeps_message(ending):
            raise Again(ending.code, ending.delay_seconds)
        case _:  # what is due later than a message should wait in a worker is left to the sweeper
            return {"provider": provider, "payment_id": payment_id, "ending": name_of(ending)}
