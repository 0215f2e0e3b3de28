"""Where a listing or a stream has come to: a text that a client keeps and hands back. What is in it is ours to change.

A cursor is no secret and gives no right; one that was tampered with is refused, or leads to another place.
"""

import base64
import binascii
from datetime import datetime
from hashlib import sha256
from typing import Annotated

import msgspec

from payments.ledger.feed import Position
from payments.ledger.views import Place
from payments.view import PaymentFilter
from workers.api.refusals import Refusal, cursor_lost, invalid_argument

_DIGEST_BYTES = 6
_LONGEST = 2048

Natural = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""As a BIGINT holds it."""

Name = Annotated[str, msgspec.Meta(max_length=600, pattern=r"\A[^\x00]*\Z")]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class StreamCursor(msgspec.Struct, frozen=True, array_like=True):
    """After which change a stream goes on; while it still tells what was there, also after which payment.

    `position` is then where what is new begins. `epoch` says for which numbering of the feed that is good.
    """

    epoch: str
    txid: Natural
    number: Natural
    created_at: Moment | None = None
    id: Name | None = None

    @property
    def position(self) -> Position:
        """Where in the feed it stands."""
        return Position(self.txid, self.number)

    @property
    def place(self) -> Place | None:
        """Which existing payment was told last; None where all were."""
        return Place(self.created_at, self.id) if self.created_at and self.id is not None else None

    def text(self) -> str:
        """Return it as a client sees it."""
        return _text(msgspec.json.encode(self))


def stream_cursor(text: str, epoch: str) -> StreamCursor:
    """Return the cursor that a client hands back. Raises Refusal where it is none, or of another numbering."""
    try:
        cursor = _STREAM.decode(_bytes(text))
    except (ValueError, RecursionError):  # msgspec's are ValueErrors
        refused = invalid_argument("cursor", "not a cursor of this service: send it exactly as it came")
    else:
        if cursor.epoch == epoch:
            return cursor
        refused = cursor_lost("the cursor is of another database")
    raise refused


class PageToken(msgspec.Struct, frozen=True, array_like=True):
    """After which payment a listing goes on, how many there are, and the digest of its filter."""

    created_at: Moment
    id: Name
    total: Natural
    wanted: str

    @property
    def place(self) -> Place:
        """Which payment was listed last."""
        return Place(self.created_at, self.id)

    def text(self) -> str:
        """Return it as a client sees it."""
        return _text(msgspec.json.encode(self))


def page_token(text: str, wanted: PaymentFilter) -> PageToken:
    """Return the token that a client hands back. Raises Refusal where it is none, or of another filter."""
    refused: Refusal
    try:
        token = _PAGE.decode(_bytes(text))
    except (ValueError, RecursionError):  # msgspec's are ValueErrors
        refused = invalid_argument("page_token", "not a token of this service: send it exactly as it came")
    else:
        if token.wanted == digest_of_filter(wanted):
            return token
        refused = invalid_argument("page_token", "of another filter: begin anew, or send the filter that it came with")
    raise refused


def digest_of_filter(wanted: PaymentFilter) -> str:
    """Return a short text that differs between filters."""
    return base64.urlsafe_b64encode(sha256(msgspec.json.encode(wanted)).digest()[:_DIGEST_BYTES]).decode()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    if len(text) > _LONGEST:
        raise ValueError("longer than any of ours")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


_STREAM = msgspec.json.Decoder(StreamCursor)
_PAGE = msgspec.json.Decoder(PageToken)
