"""What can be set of a client of the gRPC API."""

import re

from pydantic import SecretStr, field_validator, model_validator

from config.settings.group import Group, setting
from config.settings.tokens import is_token

_ADDRESS = re.compile(r"(?:[^\s:/\[\]]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")  # a name or an IPv4 address, or [IPv6]
_LAST_PORT = 65535


class ClientSettings(Group):
    """How `payferry watch` and the client library reach the API."""

    address: str = setting("PAYFERRY_API", default="127.0.0.1:50051", about="host:port of the API.")
    token: SecretStr | None = setting("PAYFERRY_API_TOKEN", default=None, about="The token that the API knows us by.")
    tls: bool = setting("PAYFERRY_API_TLS", default=False, about="Speak TLS to the API.")
    ca_file: str | None = setting(
        "PAYFERRY_API_CA_FILE", default=None, about="File with the certificates to trust (PEM). Empty: the system's."
    )
    cert_file: str | None = setting(
        "PAYFERRY_API_CERT_FILE", default=None, about="File with our certificate (PEM), for mutual TLS."
    )
    key_file: str | None = setting(
        "PAYFERRY_API_KEY_FILE", default=None, about="File with our private key (PEM), for mutual TLS."
    )
    connect_seconds: float = setting(
        "PAYFERRY_API_CONNECT_SECONDS", default=5.0, gt=0, le=3600, about="How long to try to connect."
    )
    deadline_seconds: float = setting(
        "PAYFERRY_API_DEADLINE_SECONDS",
        default=10.0,
        gt=0,
        le=3600,
        about="How long to wait for the answer to one call.",
    )

    @field_validator("address")
    @classmethod
    def _address_is_one(cls, told: str) -> str:
        found = _ADDRESS.fullmatch(told)
        if found is None or not 0 < int(found[1]) <= _LAST_PORT:
            raise ValueError("must be host:port, such as payments.internal:50051 or [::1]:50051")
        return told

    @field_validator("token")
    @classmethod
    def _token_can_be_sent(cls, told: SecretStr | None) -> SecretStr | None:
        if told is not None and not is_token(told.get_secret_value()):
            raise ValueError("must be the token itself, not its sha256=…: ASCII characters without blanks and commas")
        return told

    @model_validator(mode="after")
    def _tls_is_whole(self) -> "ClientSettings":
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("PAYFERRY_API_CERT_FILE and PAYFERRY_API_KEY_FILE go together: set both, or neither")
        if (self.ca_file or self.cert_file) and not self.tls:
            raise ValueError("PAYFERRY_API_CA_FILE and PAYFERRY_API_CERT_FILE need PAYFERRY_API_TLS=true")
        return self
