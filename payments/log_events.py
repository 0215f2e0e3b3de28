"""Every log event that Payferry writes: its level, and what it means. No field ever holds personal data."""

from collections.abc import Callable
from typing import Any

LOG_EVENTS: dict[str, tuple[str, str]] = {
    "bridge_started": ("info", "The bridge has joined its group."),
    "bridge_stopped": ("info", "The bridge has left its group; everything it took is stored and committed."),
    "bridge_partitions_assigned": ("info", "These partitions are ours from now on."),
    "bridge_partitions_revoked": ("info", "These partitions go to another bridge; nothing of them is in flight."),
    "bridge_partitions_lost": ("warning", "The group went on without us; what was not committed comes to another."),
    "bridge_commit_refused": ("warning", "The group refused a commit. The records come again and are known."),
    "bridge_topic_missing": ("warning", "The topic does not exist yet. The bridge waits for it."),
    "bridge_batch_taken": ("debug", "A batch of records is stored, its workers woken, its offsets committed."),
    "bridge_paused": ("warning", "The bridge takes nothing for now, for the reason given, and keeps its membership."),
    "bridge_resumed": ("info", "The bridge goes on."),
    "bridge_poisoned": (
        "critical",
        "Too many of the last records are no payment events. The bridges of this group pause for a person to look.",
    ),
    "bridge_probed": ("info", "A bridge that is paused for poison took a few records, of which so many are bad."),
    "bridge_poison_over": ("info", "A person, or a probe, ended the pause for poison."),
    "kafka_error": ("warning", "librdkafka tells of a fault. It goes on trying by itself unless it is fatal."),
    "kafka_away": ("warning", "The brokers do not answer. Tried again."),
    "database_away": ("warning", "PostgreSQL does not answer. Tried again; nothing is taken from Kafka meanwhile."),
    "record_buried": ("warning", "A record could not be taken in; it is in the dead letters with its bytes."),
    "wakeups_unsent": ("warning", "Redis does not answer. The events are stored; the sweeper will wake the workers."),
    "payment_worked_off": ("debug", "Work on one event has ended as it should, in the way named by `ending`."),
    "payment_put_off": ("info", "Work on one event failed or must wait; it is due again after `delay_seconds`."),
    "payment_buried": ("warning", "One event is a dead letter, for the reason given."),
    "payment_overtaken": ("warning", "A claim's lease ended while its worker was busy; another has the event."),
    "effect_of_overtaken": ("error", "A worker that had lost its claim did this at a provider all the same."),
    "saga_goes_back": ("warning", "A payment failed for good after a step at its provider; that is taken back now."),
    "compensation_failed": ("critical", "What was done at a provider could not be taken back. Somebody must look now."),
    "optional_part_left_out": ("warning", "A settlement stands without a part that the database did not take."),
    "shared_state_away": (
        "warning",
        "Redis does not answer: breakers, limits and budgets go on in each process.",
    ),
    "shared_state_back": ("info", "Redis answers again: breakers, limits and budgets are the fleet's again."),
    "gateway_answered": ("debug", "A provider answered, in `duration_ms`, with the HTTP status given."),
    "gateway_failed": ("info", "A provider gave no answer that can be read; `kind` and `code` tell why."),
    "breaker_opened": ("warning", "A breaker has opened: what it stands before is left alone for a while."),
    "breaker_half_open": ("info", "A breaker lets a few calls through, to see whether what is behind it is well."),
    "breaker_closed": ("info", "A breaker has closed: what is behind it is well."),
    "breaker_isolated": ("warning", "An operator holds a breaker open until it is reset."),
    "dead_letter_critical": ("critical", "A dead letter that a person must hear of now: `criticality` says why."),
    "dead_letters_replayed": ("info", "Beat, or somebody, has sent back the dead letters that were due."),
    "dead_letters_archived": ("info", "Dead letters that had ended long ago are in the archive, and purged."),
    "replay_skipped": ("warning", "Dead letters could not be looked after: a server is away. Tried again."),
    "replay_job_done": ("info", "A replay job has ended; `held` letters stay where they were, behind a gate."),
    "breaker_drained": ("info", "A breaker has closed: what it made wait or buried comes back now, at its velocity."),
    "work_swept_up": ("warning", "The sweeper freed claims of dead workers, or sent lost wake-ups again."),
    "sweep_skipped": ("warning", "The sweeper could not look: a server is away. It looks again at the next tick."),
    "relay_started": ("info", "The relay sends the outbox."),
    "relay_stopped": ("info", "The relay has stopped."),
    "relay_lanes": ("info", "So many of the outbox's lanes are this relay's share from now on."),
    "relay_failed": ("warning", "The outbox, or one topic of it, could not be sent. Tried again; nothing is lost."),
    "relay_waits": ("info", "The breaker of Kafka or of the ledger is open. The outbox keeps what is to be sent."),
    "event_refused": (
        "error",
        "The brokers will never take an outgoing message. It is the dead letter named, or set aside in the outbox.",
    ),
    "publisher_outage": (
        "critical",
        "For so long a topic has taken nothing of what is to go out. The outbox keeps it, and grows.",
    ),
    "publisher_recovered": ("info", "A topic that a person was told of takes what is outgoing again."),
    "publisher_report": ("info", "How publishing went since the process began, and in its last minute."),
    "alarm_unsent": ("warning", "Sentry did not take an alarm, for the reason given. What it was about is in the log."),
    "api_started": ("info", "The gRPC API takes calls."),
    "api_stopped": ("info", "The gRPC API takes no more calls, and those that it had are ended."),
    "api_called": ("info", "A call of the gRPC API has ended: by whom, how, and how long it took."),
    "api_failed": ("error", "A call of the gRPC API met something that nobody foresaw; its client is told no more."),
    "http_failed": ("error", "A request met what its client is told no more of, or was broken off in its answer."),
    "feed_purged": ("debug", "Changes of payments that are older than they are kept are forgotten."),
    "feed_unread": ("warning", "The changes of payments cannot be read. Streams wait; read again soon."),
    "sandbox_started": ("info", "The provider sandbox serves."),
}

Tell = Callable[..., None]

Alarm = Callable[[str, str, dict[str, object]], None]
"""Takes the name, the meaning and the fields of an event that a person must hear of now."""


def teller(logger: Any, alarm: Alarm | None = None) -> Tell:  # noqa: ANN401 - any logger with a method for each level
    """Return a function that writes the event of a name at its level; a critical one goes to `alarm` as well.

    An unknown name is a bug: KeyError.
    """

    def tell(name: str, **fields: object) -> None:
        level, meaning = LOG_EVENTS[name]
        getattr(logger, level)(name, **fields)
        if alarm and level == "critical":
            alarm(name, meaning, fields)

    return tell
