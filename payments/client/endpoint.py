"""Where the API is, and how it is reached."""

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from payments.failures import ConfigurationError

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):\d{1,5}", re.ASCII)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The API's address, our token there, and the files (PEM) of TLS.

    `ca_file` holds the certificates to trust, in place of the system's; `cert_file` and `key_file` are ours, for mutual
    TLS. A token goes over the wire as it is, so without TLS it goes to this machine alone; `plaintext` lets it go to
    others, where the network is trusted. Raises ConfigurationError, which never quotes the token.
    """

    address: str = "127.0.0.1:50051"
    token: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    plaintext: bool = False

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise _wrong(f"{self.address!r} is no address: write host:port, such as payments.internal:50051")
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            raise _wrong("a file for TLS is named, and TLS is off: set tls (PAYFERRY_API_TLS=true)")
        if bool(self.cert_file) != bool(self.key_file):
            raise _wrong("a certificate and its private key go together: name both files, or neither")
        if self.token is not None:
            self._check_token(self.token)

    @property
    def credentials(self) -> tuple[tuple[str, str], ...]:
        """The headers that say who we are."""
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    @property
    def is_local(self) -> bool:
        """Whether the address is on this machine, for certain."""
        match = _ADDRESS.fullmatch(self.address)
        assert match is not None
        host = match[1] or match[2]
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def file(self, name: str | None) -> bytes | None:
        """Return what a file holds. Raises ConfigurationError."""
        try:
            return Path(name).read_bytes() if name else None
        except OSError as error:
            raise _wrong(f"{name} cannot be read: {error.strerror or error}") from None

    def _check_token(self, token: str) -> None:
        if not _TOKEN.fullmatch(token):
            raise _wrong("the token is no token: it has ASCII characters without blanks")
        if not (self.tls or self.plaintext or self.is_local):
            raise _wrong(
                f"the token would go to {self.address} for all to read: use TLS (PAYFERRY_API_TLS=true), "
                "or say that the network is trusted (plaintext, --plaintext)"
            )


def _wrong(message: str) -> ConfigurationError:
    return ConfigurationError(message, service="api", operation="connect")
