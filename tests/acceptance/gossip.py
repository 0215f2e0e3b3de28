"""A payment processor that cannot keep a secret: what goes wrong there is told with all that it knows."""

import json

from tests.served import Handler, Served


class Gossip(Served):
    """Speaks our canonical protocol while entered. It refuses a payment whose name has `refused` in it, is away for the
    first two calls for one with `away`, and does the others. Each error quotes `secrets` and the key that it was sent.
    """

    def __init__(self, *secrets: str) -> None:
        super().__init__(_Answers)
        self.secrets = secrets
        self.calls: list[str] = []

    def status(self, path: str) -> int:
        """Return what this call is answered with."""
        payment = path.split("/")[2]
        self.calls.append(payment)
        if "refused" in payment:
            return 400
        return 503 if "away" in payment and self.calls.count(payment) <= _CALLS_AWAY else 200


_CALLS_AWAY = 2


class _Answers(Handler):
    server: Gossip

    def get(self) -> None:
        self._tell(404, {"error": {"code": "not_found", "message": "no such payment"}})

    def post(self) -> None:
        body = json.loads(self.body())
        status = self.server.status(self.path)
        told = ", ".join((*self.server.secrets, self.headers["Authorization"]))
        error = {"code": f"gossip_{status}", "message": f"not for {told}"}
        done = {"verdict": "done", "amount_minor": body["amount_minor"], "reference_id": "ref_1"}
        self._tell(status, done if status == 200 else {"error": error})

    def _tell(self, status: int, told: object) -> None:
        self.answer(status, json.dumps(told).encode())
