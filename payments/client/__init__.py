"""What other programs read payments with: typed values over the gRPC API, and a stream that survives its server."""

from payments.client.client import CallPolicy, PaymentClient
from payments.client.endpoint import Endpoint
from payments.client.filter import Filter
from payments.client.history import DeadLetter, Entry, Failed, History, HistoryEvent, Step
from payments.client.persistence import Reconnect
from payments.client.values import Decline, Event, Page, Payment, Reading
from payments.client.watch import Reconnecting, Statistics, Watch, WatchPolicy

__all__ = [
    "CallPolicy",
    "DeadLetter",
    "Decline",
    "Endpoint",
    "Entry",
    "Event",
    "Failed",
    "Filter",
    "History",
    "HistoryEvent",
    "Page",
    "Payment",
    "PaymentClient",
    "Reading",
    "Reconnect",
    "Reconnecting",
    "Statistics",
    "Step",
    "Watch",
    "WatchPolicy",
]
