import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Provider(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVIDER_UNSPECIFIED: _ClassVar[Provider]
    PROVIDER_STRIPE: _ClassVar[Provider]
    PROVIDER_RAZORPAY: _ClassVar[Provider]
    PROVIDER_PAYPAL: _ClassVar[Provider]
    PROVIDER_CANONICAL: _ClassVar[Provider]

class PaymentStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_STATUS_UNSPECIFIED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_PENDING: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_AUTHORIZED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_COMPLETED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_PARTIALLY_REFUNDED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_REFUNDED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_FAILED: _ClassVar[PaymentStatus]
    PAYMENT_STATUS_VOIDED: _ClassVar[PaymentStatus]
PROVIDER_UNSPECIFIED: Provider
PROVIDER_STRIPE: Provider
PROVIDER_RAZORPAY: Provider
PROVIDER_PAYPAL: Provider
PROVIDER_CANONICAL: Provider
PAYMENT_STATUS_UNSPECIFIED: PaymentStatus
PAYMENT_STATUS_PENDING: PaymentStatus
PAYMENT_STATUS_AUTHORIZED: PaymentStatus
PAYMENT_STATUS_COMPLETED: PaymentStatus
PAYMENT_STATUS_PARTIALLY_REFUNDED: PaymentStatus
PAYMENT_STATUS_REFUNDED: PaymentStatus
PAYMENT_STATUS_FAILED: PaymentStatus
PAYMENT_STATUS_VOIDED: PaymentStatus

class Payment(_message.Message):
    __slots__ = ("id", "provider", "payment_id", "status", "currency", "amount_minor", "captured_minor", "refunded_minor", "decimals", "customer_reference", "customer_email", "created_at", "updated_at", "revision")
    ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_MINOR_FIELD_NUMBER: _ClassVar[int]
    REFUNDED_MINOR_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_EMAIL_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    id: str
    provider: Provider
    payment_id: str
    status: PaymentStatus
    currency: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    decimals: int
    customer_reference: str
    customer_email: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    revision: int
    def __init__(self, id: _Optional[str] = ..., provider: _Optional[_Union[Provider, str]] = ..., payment_id: _Optional[str] = ..., status: _Optional[_Union[PaymentStatus, str]] = ..., currency: _Optional[str] = ..., amount_minor: _Optional[int] = ..., captured_minor: _Optional[int] = ..., refunded_minor: _Optional[int] = ..., decimals: _Optional[int] = ..., customer_reference: _Optional[str] = ..., customer_email: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class PaymentFilter(_message.Message):
    __slots__ = ("providers", "statuses", "currencies", "customer_reference", "created_from", "created_until")
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    CURRENCIES_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FROM_FIELD_NUMBER: _ClassVar[int]
    CREATED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    providers: _containers.RepeatedScalarFieldContainer[Provider]
    statuses: _containers.RepeatedScalarFieldContainer[PaymentStatus]
    currencies: _containers.RepeatedScalarFieldContainer[str]
    customer_reference: str
    created_from: _timestamp_pb2.Timestamp
    created_until: _timestamp_pb2.Timestamp
    def __init__(self, providers: _Optional[_Iterable[_Union[Provider, str]]] = ..., statuses: _Optional[_Iterable[_Union[PaymentStatus, str]]] = ..., currencies: _Optional[_Iterable[str]] = ..., customer_reference: _Optional[str] = ..., created_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetPaymentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetPaymentResponse(_message.Message):
    __slots__ = ("payment", "stale", "age_seconds")
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    payment: Payment
    stale: bool
    age_seconds: float
    def __init__(self, payment: _Optional[_Union[Payment, _Mapping]] = ..., stale: _Optional[bool] = ..., age_seconds: _Optional[float] = ...) -> None: ...

class ListPaymentsRequest(_message.Message):
    __slots__ = ("filter", "limit", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: PaymentFilter
    limit: int
    page_token: str
    def __init__(self, filter: _Optional[_Union[PaymentFilter, _Mapping]] = ..., limit: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPaymentsResponse(_message.Message):
    __slots__ = ("payments", "next_page_token", "total")
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    payments: _containers.RepeatedCompositeFieldContainer[Payment]
    next_page_token: str
    total: int
    def __init__(self, payments: _Optional[_Iterable[_Union[Payment, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total: _Optional[int] = ...) -> None: ...

class StreamPaymentsRequest(_message.Message):
    __slots__ = ("filter", "include_existing", "cursor")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_EXISTING_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    filter: PaymentFilter
    include_existing: bool
    cursor: str
    def __init__(self, filter: _Optional[_Union[PaymentFilter, _Mapping]] = ..., include_existing: _Optional[bool] = ..., cursor: _Optional[str] = ...) -> None: ...

class StreamPaymentsResponse(_message.Message):
    __slots__ = ("events", "cursor", "live")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[PaymentEvent]
    cursor: str
    live: bool
    def __init__(self, events: _Optional[_Iterable[_Union[PaymentEvent, _Mapping]]] = ..., cursor: _Optional[str] = ..., live: _Optional[bool] = ...) -> None: ...

class PaymentEvent(_message.Message):
    __slots__ = ("cursor", "payment", "existing", "event_id", "kind", "ending", "occurred_at", "settled_at", "decline")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_AT_FIELD_NUMBER: _ClassVar[int]
    DECLINE_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    payment: Payment
    existing: bool
    event_id: str
    kind: str
    ending: str
    occurred_at: _timestamp_pb2.Timestamp
    settled_at: _timestamp_pb2.Timestamp
    decline: Decline
    def __init__(self, cursor: _Optional[str] = ..., payment: _Optional[_Union[Payment, _Mapping]] = ..., existing: _Optional[bool] = ..., event_id: _Optional[str] = ..., kind: _Optional[str] = ..., ending: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., settled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decline: _Optional[_Union[Decline, _Mapping]] = ...) -> None: ...

class Decline(_message.Message):
    __slots__ = ("kind", "code", "declined_at")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DECLINED_AT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    code: str
    declined_at: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[str] = ..., code: _Optional[str] = ..., declined_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetPaymentHistoryRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetPaymentHistoryResponse(_message.Message):
    __slots__ = ("payment", "events", "entries", "dead_letters", "declines", "truncated")
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTERS_FIELD_NUMBER: _ClassVar[int]
    DECLINES_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    payment: Payment
    events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    dead_letters: _containers.RepeatedCompositeFieldContainer[DeadLetter]
    declines: _containers.RepeatedCompositeFieldContainer[Decline]
    truncated: bool
    def __init__(self, payment: _Optional[_Union[Payment, _Mapping]] = ..., events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., dead_letters: _Optional[_Iterable[_Union[DeadLetter, _Mapping]]] = ..., declines: _Optional[_Iterable[_Union[Decline, _Mapping]]] = ..., truncated: _Optional[bool] = ...) -> None: ...

class HistoryEvent(_message.Message):
    __slots__ = ("event_id", "kind", "state", "attempts", "received_at", "finished_at", "due_at", "steps", "failures", "correlation_id", "trace_id")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    kind: str
    state: str
    attempts: int
    received_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    due_at: _timestamp_pb2.Timestamp
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    failures: _containers.RepeatedCompositeFieldContainer[Failure]
    correlation_id: str
    trace_id: str
    def __init__(self, event_id: _Optional[str] = ..., kind: _Optional[str] = ..., state: _Optional[str] = ..., attempts: _Optional[int] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[Failure, _Mapping]]] = ..., correlation_id: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("at", "step", "mark", "reference_id")
    AT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_ID_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    step: str
    mark: str
    reference_id: str
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., step: _Optional[str] = ..., mark: _Optional[str] = ..., reference_id: _Optional[str] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("at", "attempt", "kind", "code", "service", "operation", "message")
    AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    attempt: int
    kind: str
    code: str
    service: str
    operation: str
    message: str
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempt: _Optional[int] = ..., kind: _Optional[str] = ..., code: _Optional[str] = ..., service: _Optional[str] = ..., operation: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("leg", "account", "amount_minor", "currency", "booked_at")
    LEG_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MINOR_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    BOOKED_AT_FIELD_NUMBER: _ClassVar[int]
    leg: str
    account: str
    amount_minor: int
    currency: str
    booked_at: _timestamp_pb2.Timestamp
    def __init__(self, leg: _Optional[str] = ..., account: _Optional[str] = ..., amount_minor: _Optional[int] = ..., currency: _Optional[str] = ..., booked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("id", "event_id", "state", "resolution", "reason", "failure_type", "message", "replay_count", "first_failed_at", "last_failed_at", "next_replay_at", "correlation_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REPLAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    NEXT_REPLAY_AT_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    event_id: str
    state: str
    resolution: str
    reason: str
    failure_type: str
    message: str
    replay_count: int
    first_failed_at: _timestamp_pb2.Timestamp
    last_failed_at: _timestamp_pb2.Timestamp
    next_replay_at: _timestamp_pb2.Timestamp
    correlation_id: str
    def __init__(self, id: _Optional[int] = ..., event_id: _Optional[str] = ..., state: _Optional[str] = ..., resolution: _Optional[str] = ..., reason: _Optional[str] = ..., failure_type: _Optional[str] = ..., message: _Optional[str] = ..., replay_count: _Optional[int] = ..., first_failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., next_replay_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., correlation_id: _Optional[str] = ...) -> None: ...
