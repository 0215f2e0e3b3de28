"""What can be set of the gRPC API."""

from pathlib import Path

from pydantic import SecretStr, field_validator, model_validator

from config.settings.group import Group, SettingsError, setting
from config.settings.tokens import ApiClient, check_distinct, clients_of_lines, clients_of_list


class ApiSettings(Group):
    """The gRPC API, through which other services read payments."""

    host: str = setting("API_HOST", default="127.0.0.1", about="The address that the API listens on.")
    port: int = setting("API_PORT", default=50051, ge=0, le=65535, about="The port that the API listens on. 0: any.")
    tokens: SecretStr | None = setting(
        "API_TOKENS",
        default=None,
        about="Who may call: name:grants:token[,name:grants:token…]. Grants are joined by +, of read, admin (includes "
        "read) and email. A token has 16 characters or more, and may be written as sha256=<its 64 hex digits>.",
    )
    tokens_file: str | None = setting(
        "API_TOKENS_FILE", default=None, about="A file with more of them, one a line; lines with # are comments."
    )
    tls_cert_file: str | None = setting(
        "API_TLS_CERT_FILE", default=None, about="File with the API's certificate chain (PEM). Empty: no TLS."
    )
    tls_key_file: str | None = setting(
        "API_TLS_KEY_FILE", default=None, about="File with the private key of that certificate (PEM)."
    )
    tls_client_ca_file: str | None = setting(
        "API_TLS_CLIENT_CA_FILE",
        default=None,
        about="File with the certificates that clients' own must be signed by (mutual TLS). Empty: clients need none.",
    )
    calls_per_second: float = setting(
        "API_CALLS_PER_SECOND",
        default=200.0,
        ge=0,
        le=1_000_000,
        about="How many calls a client may make, over all API processes together. 0: no limit.",
    )
    call_burst: int = setting("API_CALL_BURST", default=100, ge=1, about="How many of them it may make at once.")
    deadline_seconds: float = setting(
        "API_DEADLINE_SECONDS",
        default=10.0,
        gt=0,
        le=3600,
        about="The longest that a call may take, and what one has that names no deadline. Streams have none.",
    )
    max_subscribers: int = setting(
        "API_MAX_SUBSCRIBERS", default=1000, ge=1, about="Most streams of one process at a time."
    )
    buffer_events: int = setting(
        "API_STREAM_BUFFER",
        default=10_000,
        ge=1,
        about="Most events that wait for one subscriber; one that falls further behind is cut off.",
    )
    heartbeat_seconds: float = setting(
        "API_HEARTBEAT_SECONDS",
        default=5.0,
        gt=0,
        le=3600,
        about="How often a stream without events gives a sign of life.",
    )
    drain_seconds: float = setting(
        "API_DRAIN_SECONDS",
        default=5.0,
        ge=0,
        le=3600,
        about="How long calls may go on once the process is told to end.",
    )
    cache_seconds: float = setting(
        "API_CACHE_SECONDS",
        default=5.0,
        ge=0,
        le=86_400,
        about="How long a payment is answered from the cache. 0: never.",
    )
    events_retention_days: float = setting(
        "PAYMENT_EVENTS_RETENTION_DAYS",
        default=7.0,
        gt=0,
        le=3650,
        about="For how many days a stream can be taken up again: older changes of payments are no longer told.",
    )

    @field_validator("tokens")
    @classmethod
    def _tokens_are_well_formed(cls, told: SecretStr | None) -> SecretStr | None:
        if told is not None:
            clients_of_list(told.get_secret_value())
        return told

    @model_validator(mode="after")
    def _tls_is_whole(self) -> "ApiSettings":
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("API_TLS_CERT_FILE and API_TLS_KEY_FILE go together: set both, or neither")
        if self.tls_client_ca_file and not self.tls_cert_file:
            raise ValueError("API_TLS_CLIENT_CA_FILE needs API_TLS_CERT_FILE and API_TLS_KEY_FILE")
        return self

    def clients(self) -> tuple[ApiClient, ...]:
        """Return who may call, of API_TOKENS and of the file; nobody where neither is set.

        Raises SettingsError, which quotes no token, where the file cannot be read, is malformed, or names nobody.
        """
        named = clients_of_list(self.tokens.get_secret_value()) if self.tokens else ()
        try:
            clients = named + self._clients_of_file()
            check_distinct(clients)
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"API_TOKENS_FILE: cannot be read: {_why(error)}") from None
        except ValueError as error:
            raise SettingsError(f"API_TOKENS_FILE: {error}") from None
        if not clients and (self.tokens or self.tokens_file):
            raise SettingsError("API_TOKENS, API_TOKENS_FILE: they name nobody; write name:grants:token, or unset them")
        return clients

    def _clients_of_file(self) -> tuple[ApiClient, ...]:
        return clients_of_lines(Path(self.tokens_file).read_text(encoding="utf-8-sig")) if self.tokens_file else ()


def _why(error: OSError | UnicodeDecodeError) -> str:
    """Return what is wrong, without a byte of the file."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not UTF-8 text"
