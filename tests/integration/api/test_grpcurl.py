"""The service through grpcurl, a client that is not ours and knows it by reflection alone."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.api.conftest import ADMIN, READER, Running
from tests.integration.api.till import Till

SERVICE = "payferry.v1.PaymentService"
TOOLS = Path(__file__).parents[3] / "var" / "tools"
GRPCURL = shutil.which("grpcurl", path=f"{TOOLS}{os.pathsep}{os.environ.get('PATH', os.defpath)}")

pytestmark = pytest.mark.skipif(GRPCURL is None, reason="grpcurl is not installed: make tools, which needs Go")

Curl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def curl(server: Running) -> Curl:
    def run(*what: str, token: str | None = READER, asked: object = None, options: tuple[str, ...] = ()) -> object:
        login = ["-H", f"authorization: Bearer {token}"] if token else []
        data = ["-d", json.dumps(asked)] if asked is not None else []
        command = [str(GRPCURL), "-plaintext", *login, *data, *options, server.address, *what]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    return run


def test_it_lists_and_describes_the_service(curl: Curl) -> None:
    assert SERVICE in curl("list", token=None).stdout.split()
    methods = curl("list", SERVICE, token=None).stdout.split()
    assert methods == [
        f"{SERVICE}.{name}" for name in ("GetPayment", "GetPaymentHistory", "ListPayments", "StreamPayments")
    ]
    assert "string id = 1" in curl("describe", "payferry.v1.GetPaymentRequest", token=None).stdout


def test_it_calls_every_method(curl: Curl, till: Till) -> None:
    till.captured("p1")
    one = json.loads(curl(f"{SERVICE}/GetPayment", asked={"id": "stripe:p1"}).stdout)
    assert one["payment"]["status"] == "PAYMENT_STATUS_COMPLETED"
    page = json.loads(curl(f"{SERVICE}/ListPayments", asked={"filter": {"providers": ["PROVIDER_STRIPE"]}}).stdout)
    assert (page["total"], page["payments"][0]["id"]) == ("1", "stripe:p1")
    history = curl(f"{SERVICE}/GetPaymentHistory", asked={"id": "stripe:p1"}, token=ADMIN)
    assert json.loads(history.stdout)["events"][0]["state"] == "settled"
    stream = curl(f"{SERVICE}/StreamPayments", asked={"includeExisting": True}, options=("-max-time", "2"))
    assert '"id": "stripe:p1"' in stream.stdout
    assert "DeadlineExceeded" in stream.stderr
    assert '"status": "SERVING"' in curl("grpc.health.v1.Health/Check", token=None).stdout


@pytest.mark.parametrize(
    ("method", "asked", "told", "code"),
    [
        ("GetPayment", {"id": ""}, {}, "InvalidArgument"),
        ("ListPayments", {"limit": -1}, {}, "InvalidArgument"),
        ("GetPayment", {"id": "stripe:nobody"}, {}, "NotFound"),
        ("GetPayment", {"id": "stripe:p1"}, {"options": ("-max-time", "0.000001")}, "DeadlineExceeded"),
        ("GetPayment", {"id": "stripe:p1"}, {"token": None}, "Unauthenticated"),
        ("GetPaymentHistory", {"id": "stripe:p1"}, {"token": READER}, "PermissionDenied"),
    ],
    ids=["empty-id", "negative-limit", "unknown-id", "expired-deadline", "no-token", "wrong-role"],
)
def test_it_gets_the_right_codes(curl: Curl, method: str, asked: object, told: dict[str, object], code: str) -> None:
    done = curl(f"{SERVICE}/{method}", asked=asked, **told)
    assert done.returncode != 0
    assert code in done.stderr or "deadline exceeded" in done.stderr
    assert ("deadline" in done.stderr.lower()) == (code == "DeadlineExceeded")
