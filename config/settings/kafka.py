"""What can be set of Kafka."""

from typing import Literal

from pydantic import SecretStr, model_validator

from config.settings.group import Group, setting


class KafkaSettings(Group):
    """Where payments come from, and where events and dead letters go."""

    bootstrap_servers: str = setting(
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_BROKERS",
        default="",
        about="host:port[,host:port…] of the Kafka brokers. Empty: `payferry up` starts an embedded one.",
    )
    topic: str = setting("KAFKA_TOPIC", default="payments.raw", about="The topic that payments arrive on.")
    group_id: str = setting("KAFKA_GROUP_ID", default="payferry-bridge", about="The consumer group of all bridges.")
    group_instance_id: str | None = setting(
        "KAFKA_GROUP_INSTANCE_ID",
        default=None,
        about="A name that this bridge keeps over restarts (static membership). One per bridge.",
    )
    events_topic: str = setting("KAFKA_EVENTS_TOPIC", default="payments.events", about="The topic of outgoing events.")
    on_new_group: Literal["earliest", "latest"] = setting(
        "KAFKA_AUTO_OFFSET_RESET", default="earliest", about="Where a group that has never committed starts to read."
    )
    on_lost_offset: Literal["fail", "earliest", "latest"] = setting(
        "KAFKA_ON_LOST_OFFSET",
        default="fail",
        about="What to do when a committed offset is no longer in the log. `fail` stops the bridge and says so.",
    )
    session_timeout_ms: int = setting(
        "KAFKA_SESSION_TIMEOUT_MS",
        default=6000,
        ge=1000,
        le=3_600_000,
        about="After this long without a sign of life a bridge is replaced.",
    )
    outage_alert_seconds: float = setting(
        "KAFKA_OUTAGE_ALERT_SECONDS",
        default=600.0,
        gt=0,
        le=604_800,
        about="After this long without brokers that take what is outgoing, a person is told.",
    )
    ssl: bool = setting("KAFKA_SSL", default=False, about="Speak TLS to the brokers.")
    ssl_ca_location: str | None = setting(
        "KAFKA_SSL_CA_LOCATION", default=None, about="File with the certificates to trust. Default: the system's."
    )
    ssl_certificate_location: str | None = setting(
        "KAFKA_SSL_CERTIFICATE_LOCATION", default=None, about="File with our certificate, for mutual TLS."
    )
    ssl_key_location: str | None = setting(
        "KAFKA_SSL_KEY_LOCATION", default=None, about="File with our private key, for mutual TLS."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = setting(
        "KAFKA_SASL_MECHANISM", default=None, about="How to log in to the brokers. Empty: no login."
    )
    sasl_username: str | None = setting("KAFKA_SASL_USERNAME", default=None, about="The user of the SASL login.")
    sasl_password: SecretStr | None = setting(
        "KAFKA_SASL_PASSWORD", default=None, about="The password of the SASL login."
    )

    @property
    def dead_letter_topic(self) -> str:
        """The topic on which dead letters are announced."""
        return f"{self.topic}.dlq"

    @model_validator(mode="after")
    def _login_is_whole(self) -> "KafkaSettings":
        if self.sasl_mechanism and not (self.sasl_username and self.sasl_password):
            raise ValueError("KAFKA_SASL_MECHANISM needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
        if not self.sasl_mechanism and (self.sasl_username or self.sasl_password):
            raise ValueError("KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD need KAFKA_SASL_MECHANISM, such as PLAIN")
        return self
