"""What every Kafka client here is told."""

from typing import Any

import msgspec


class KafkaAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the brokers. The password never shows in a repr."""

    bootstrap_servers: str
    ssl: bool = False
    ssl_ca_location: str | None = None
    ssl_certificate_location: str | None = None
    ssl_key_location: str | None = None
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None

    def __repr__(self) -> str:
        return f"KafkaAccess({self.bootstrap_servers})"

    def options(self) -> dict[str, Any]:
        """Return the options of librdkafka, which calls them by these names in its CONFIGURATION.md."""
        security = f"{'sasl_' if self.sasl_mechanism else ''}{'ssl' if self.ssl else 'plaintext'}"
        told = {
            "log_level": 2,  # faults come to us as events; librdkafka would write them to stderr as well
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": security,
            "ssl.ca.location": self.ssl_ca_location,
            "ssl.certificate.location": self.ssl_certificate_location,
            "ssl.key.location": self.ssl_key_location,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password,
        }
        return {name: value for name, value in told.items() if value is not None}
