"""Every log event that Payferry writes: its level, what it means, and its fields. No field ever holds personal data."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from payments.correlation import correlation_here


class LogEvent(msgspec.Struct, frozen=True):
    """One event of the catalogue. `fields` are names with a space between them; an event need not have all of them.

    The level says who should read it: `debug` nobody by default, one for each record or exchange; `info` a step in the
    life of a process or a payment that is as it should be; `warning` a fault that we deal with by ourselves; `error`
    something that has failed for good, which a person should see; `critical` what a person must look at now.
    """

    level: str
    meaning: str
    fields: str = ""
    is_trail: bool = False
    """Whether the last of these stand beside a later alarm of the process, to say what went before it."""

    @property
    def is_alarm(self) -> bool:
        """Whether a person is told of it, besides the log."""
        return self.level in {"error", "critical"}


_debug, _info, _warning, _error, _critical = (
    partial(LogEvent, level) for level in ("debug", "info", "warning", "error", "critical")
)

EVERYWHERE = ("correlation_id",)
"""The fields that any event may have."""

LOG_EVENTS: dict[str, LogEvent] = {
    "bridge_started": _info("The bridge joins its group, and may pause for these reasons.", "reasons"),
    "bridge_stopped": _info("The bridge has left its group; everything it took is stored and committed."),
    "bridge_partitions_assigned": _info("These partitions are ours from now on.", "partitions"),
    "bridge_partitions_revoked": _info(
        "These partitions go to another bridge; nothing of them is in flight.", "partitions"
    ),
    "bridge_partitions_lost": _warning(
        "The group went on without us; what was not committed comes to another.", "partitions"
    ),
    "bridge_commit_refused": _warning("The group refused a commit. The records come again and are known.", "error"),
    "bridge_topic_missing": _warning("The topic does not exist yet. The bridge waits for it.", "topic"),
    "bridge_batch_taken": _debug(
        "A batch of records is stored, its workers woken, its offsets committed.",
        "records oldest_seconds new known dead woken undecodable",
    ),
    "bridge_paused": _warning(
        "The bridge takes nothing for now, for the reason given, and keeps its membership.", "reason"
    ),
    "bridge_pause_lifted": _debug("One reason for which the bridge takes nothing is gone.", "reason"),
    "bridge_resumed": _info("The bridge goes on."),
    "bridge_poisoned": _critical(
        "Too many of the last records are no payment events. The bridges of this group pause for a person to look.",
        "bad looked_at topic group",
    ),
    "bridge_probed": _info(
        "A bridge that is paused for poison took a few records, of which so many are bad.", "bad looked_at"
    ),
    "bridge_poison_over": _info("A person, or a probe, ended the pause for poison.", "by"),
    "kafka_error": _warning(
        "librdkafka tells of a fault. It goes on trying by itself unless it is fatal.", "error fatal"
    ),
    "kafka_away": _warning("The brokers do not answer. Tried again.", "code reason"),
    "database_away": _warning(
        "PostgreSQL does not answer. Tried again; nothing is taken from Kafka meanwhile.", "code"
    ),
    "record_buried": _error(
        "A record could not be taken in; it is in the dead letters with its bytes.",
        "reason provider partition offset failure_type category fingerprint criticality stack",
    ),
    "wakeups_unsent": _warning(
        "Redis does not answer. The events are stored; the sweeper will wake the workers.", "count code"
    ),
    "payment_worked_off": _debug(
        "Work on one event has ended as it should, in the way named by `ending`.",
        "ending provider payment_id event_id kind attempt state work_seconds age_seconds after_failure failing_seconds",
    ),
    "payment_put_off": _info(
        "Work on one event failed or must wait; it is due again after `delay_seconds`.",
        "ending provider payment_id event_id kind attempt delay_seconds code"
        " work_seconds age_seconds after_failure failing_seconds",
    ),
    "payment_buried": _error(
        "One event is a dead letter, for the reason given.",
        "ending provider payment_id event_id kind attempt reason failure_type category fingerprint criticality stack"
        " work_seconds age_seconds after_failure failing_seconds",
    ),
    "payment_failed": _debug(
        "An attempt at one event has failed; `retried` says whether another one follows.",
        "provider event_id attempt failure_type category service code retried",
    ),
    "step_taken_back": _info(
        "What a payment that failed for good had done at its provider is taken back.", "provider event_id step result"
    ),
    "task_ended": _debug("A Celery task has ended, in the state that Celery gives it.", "task state task_seconds"),
    "payment_overtaken": _warning(
        "A claim's lease ended while its worker was busy; another has the event.",
        "ending provider payment_id event_id kind attempt work_seconds age_seconds after_failure failing_seconds",
    ),
    "effect_of_overtaken": _error(
        "A worker that had lost its claim did this at a provider all the same.", "provider event_id steps"
    ),
    "saga_goes_back": _warning(
        "A payment failed for good after a step at its provider; that is taken back now.", "event_id step verb"
    ),
    "compensation_failed": _critical(
        "What was done at a provider could not be taken back. Somebody must look now.", "provider payment_id step code"
    ),
    "optional_part_left_out": _warning(
        "A settlement stands without a part that the database did not take.", "part sqlstate"
    ),
    "shared_state_away": _warning(
        "Redis does not answer: breakers, limits and budgets go on in each process.", "reason", is_trail=True
    ),
    "shared_state_back": _info(
        "Redis answers again: breakers, limits and budgets are the fleet's again.", is_trail=True
    ),
    "gateway_answered": _debug(
        "A provider answered, in `duration_ms`, with the HTTP status given.",
        "service operation method status duration_ms",
    ),
    "gateway_failed": _info(
        "A provider gave no answer that can be read; `kind` and `code` tell why.",
        "service operation kind code duration_ms",
    ),
    "breaker_opened": _warning(
        "A breaker has opened: what it stands before is left alone for a while.",
        "breaker was reason generation shared",
        is_trail=True,
    ),
    "breaker_half_open": _info(
        "A breaker lets a few calls through, to see whether what is behind it is well.",
        "breaker was reason generation shared",
        is_trail=True,
    ),
    "breaker_closed": _info(
        "A breaker has closed: what is behind it is well.", "breaker was reason generation shared", is_trail=True
    ),
    "breaker_isolated": _warning(
        "An operator holds a breaker open until it is reset.", "breaker was reason generation shared", is_trail=True
    ),
    "dead_letter_critical": _critical(
        "A dead letter that a person must hear of now: `criticality` says why.",
        "dead_letter criticality reason category provider event_id payment_id fingerprint",
    ),
    "dead_letters_replayed": _info(
        "Beat, or somebody, has sent back the dead letters that were due.", "by sent superseded refused"
    ),
    "dead_letter_sent_back": _debug("One dead letter goes back to work.", "dead_letter provider job"),
    "dead_letters_archived": _info(
        "Dead letters that had ended long ago are in the archive, and purged.", "archive letters by"
    ),
    "replay_skipped": _warning("Dead letters could not be looked after: a server is away. Tried again.", "code job"),
    "replay_job_done": _info("A replay job has ended; `held` letters stay where they were, behind a gate.", "job held"),
    "breaker_drained": _info(
        "A breaker has closed: what it made wait or buried comes back now, at its velocity.", "breaker released buried"
    ),
    "work_swept_up": _warning("The sweeper freed claims of dead workers, or sent lost wake-ups again.", "freed woken"),
    "sweep_skipped": _warning("The sweeper could not look: a server is away. It looks again at the next tick.", "code"),
    "relay_started": _info("The relay sends the outbox.", "topics"),
    "relay_stopped": _info("The relay has stopped."),
    "relay_lanes": _info("So many of the outbox's lanes are this relay's share from now on.", "lanes"),
    "relay_batch_sent": _debug("A batch of the outbox has been gone through.", "sent batch_seconds"),
    "relay_failed": _warning(
        "The outbox, or one topic of it, could not be sent. Tried again; nothing is lost.", "topic code reason seconds"
    ),
    "relay_waits": _info(
        "The breaker of Kafka or of the ledger is open. The outbox keeps what is to be sent.", "topic code seconds"
    ),
    "event_refused": _error(
        "The brokers will never take an outgoing message. It is the dead letter named, or set aside in the outbox.",
        "topic code dead_letter",
    ),
    "publisher_outage": _critical(
        "For so long a topic has taken nothing of what is to go out. The outbox keeps it, and grows.",
        "topic code seconds",
    ),
    "publisher_recovered": _info("A topic that a person was told of takes what is outgoing again.", "topic seconds"),
    "publisher_report": _info(
        "How publishing went since the process began, and in its last minute.",
        "published failed retried publish_seconds_mean publish_seconds_max last_error last_error_at breaker error_rate"
        " healthy",
    ),
    "process_failed": _error(
        "A process has met what it cannot go on after, and ends. Its supervisor starts another.",
        "failure_type code stack",
    ),
    "alarm_unsent": _warning(
        "Sentry did not take an alarm, for the reason given. What it was about is in the log.", "reason"
    ),
    "traces_unsent": _warning(
        "Spans are lost: the collector of traces does not take them, or they are too many.", "reason"
    ),
    "traces_sent_again": _info("The collector takes spans again; those from before are lost."),
    "metrics_unkept": _warning(
        "The disk is full, and this process counts nothing until it is started anew. Its work goes on.", "reason"
    ),
    "api_started": _info("The gRPC API takes calls.", "host port tls"),
    "api_stopped": _info("The gRPC API takes no more calls, and those that it had are ended."),
    "api_called": _info(
        "A call of the gRPC API has ended: by whom, how, and how long it took.",
        "method client status code took_ms lasts",
    ),
    "payment_read": _debug("A payment was read, from where `source` says.", "source"),
    "streams_told": _debug(
        "So many events were written to so many streams since this was last told.", "events streams"
    ),
    "api_failed": _error(
        "A call of the gRPC API met something that nobody foresaw; its client is told no more.", "method error stack"
    ),
    "http_failed": _error(
        "A request met what its client is told no more of, or was broken off in its answer.",
        "method endpoint status error stack",
    ),
    "feed_purged": _debug("Changes of payments that are older than they are kept are forgotten.", "changes"),
    "feed_unread": _warning("The changes of payments cannot be read. Streams wait; read again soon.", "code"),
}

Tell = Callable[..., None]

Alarm = Callable[[str, str, dict[str, object]], None]
"""Takes the name, the meaning and the fields of an event that a person is told of, or of one of the trail."""


Meter = Callable[[str, Mapping[str, object]], None]
"""Takes the name and the fields of every event, to count it."""


def teller(logger: Any, alarm: Alarm | None = None, meter: Meter | None = None) -> Tell:  # noqa: ANN401 - any logger
    """Return a function that writes the event of a name at its level, and hands it to `alarm` where that is for it.

    `meter` is handed every event, also one that is below the level that the log is set to. What the work under way is
    about is told with each, unless the event names it itself.

    An unknown name is a bug: KeyError.
    """

    def tell(name: str, **fields: object) -> None:
        event = LOG_EVENTS[name]
        if (correlation_id := correlation_here()) is not None:
            fields.setdefault("correlation_id", correlation_id)
        getattr(logger, event.level)(name, **fields)
        if alarm and (event.is_alarm or event.is_trail):
            alarm(name, event.meaning, fields)
        if meter:
            meter(name, fields)

    return tell
