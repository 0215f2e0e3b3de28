"""What the processes of a test are told to use."""

from pathlib import Path

from tests.acceptance.ledger import Ledger


class Harbour:
    """A ledger, a queue and a topic of a module's own; `env` names them to a process."""

    def __init__(self, ledger: Ledger, redis_url: str, env: dict[str, str], folder: Path) -> None:
        self.ledger = ledger
        self.redis_url = redis_url
        self.env = env
        self.folder = folder
