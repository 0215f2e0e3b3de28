"""What can be set of traces."""

from typing import Literal

from pydantic import SecretStr, field_validator

from config.settings.group import Group, setting, url_of_scheme


class TraceSettings(Group):
    """Whether traces are kept, where they go, and how many."""

    @field_validator("endpoint")
    @classmethod
    def _endpoint_is_http(cls, url: str) -> str:
        return url_of_scheme(url, "http", "https")

    @field_validator("headers")
    @classmethod
    def _headers_are_pairs(cls, told: SecretStr) -> SecretStr:
        if any(not (name.strip() and sign) for name, sign, _ in _pairs(told)):
            raise ValueError("must be name=value, several with commas between them")
        return told

    exporter: Literal["off", "otlp", "console"] = setting(
        "PAYFERRY_TRACES",
        default="off",
        about="Where traces of OpenTelemetry go: otlp, to a collector over HTTP; console, to stderr; off.",
    )
    endpoint: str = setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        default="http://127.0.0.1:4318",
        about="The collector; /v1/traces is put behind it.",
    )
    headers: SecretStr = setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        default=SecretStr(""),
        about="What the collector asks for, such as a key: name=value, several with commas between them.",
    )
    sample_ratio: float = setting(
        "TRACES_SAMPLE_RATIO",
        default=1.0,
        ge=0,
        le=1,
        about="The share of records without a traceparent that are traced. Whoever sends one has decided already.",
    )

    def header_pairs(self) -> dict[str, str]:
        """Return the headers, by name."""
        return {name.strip(): value.strip() for name, _, value in _pairs(self.headers)}


def _pairs(told: SecretStr) -> list[tuple[str, str, str]]:
    return [pair.partition("=") for pair in told.get_secret_value().split(",") if pair.strip()]
