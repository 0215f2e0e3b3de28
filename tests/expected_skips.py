"""Which skips a run may have when CI is set, by their reasons. Any other one fails."""

import os

import pytest

_ON_THE_MOCK = ("only real brokers can show it", "PAYFERRY_REAL_KAFKA=1 runs this")
"""What `make test` leaves to `make test-kafka`."""

_ON_REAL_BROKERS = ("PAYFERRY_REAL_KAFKA=1 runs this",)
"""Its tests start a second cluster, for which one machine has no room beside the first."""

_AS_ORDINARY_USER = ("an ordinary user's server runs as that user", "only root may become another account")
"""What only root can show."""


def is_expected(report: pytest.TestReport) -> bool:
    """Return whether this run, on these brokers and under this account, cannot but skip the test."""
    expected: tuple[str, ...] = _ON_REAL_BROKERS if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") else _ON_THE_MOCK
    if os.geteuid() != 0:
        expected += _AS_ORDINARY_USER
    return any(reason in str(report.longrepr) for reason in expected)
