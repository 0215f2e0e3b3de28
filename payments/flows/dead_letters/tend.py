"""What must not wait for the next replay: alarms, breakers that have closed, jobs whose worker has died."""

from contextlib import suppress

from payments.failures import QueueAway
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.drain import follow_closings

_STRANDED_SECONDS = 3.0  # for so long a message may be under way
_MOST_ALARMS = 50  # in one look: a flood of them is told of bit by bit


def tend(desk: ReplayDesk) -> None:
    """Raise alarms, follow closings, wake stranded jobs. Raises DatabaseAway."""
    _raise_alarms(desk)
    with suppress(QueueAway):  # looked at again in a second
        for job_id in desk.jobs.stranded(_STRANDED_SECONDS):
            desk.start_job(job_id, 0.0)
        follow_closings(desk)


def _raise_alarms(desk: ReplayDesk) -> None:
    """Tell of each critical letter, once; after a crash in between, once more."""
    critical = desk.letters.unalerted(_MOST_ALARMS)
    for letter in critical:
        desk.tell("dead_letter_critical", **letter)
    if critical:
        desk.letters.alerted([letter["dead_letter"] for letter in critical])
