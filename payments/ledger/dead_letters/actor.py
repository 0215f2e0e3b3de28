"""Who changes dead letters, what it is called, and why: for the audit, which the tables keep by themselves."""

import msgspec

from payments.ledger.database import Connection


class Actor(msgspec.Struct, frozen=True):
    """A person (`name@host`), or `beat`, `job 7`, `breaker`; and the reason that was given."""

    who: str
    why: str | None = None

    def act(self, connection: Connection, what: str) -> None:
        """Let every change in this transaction be filed as this actor's."""
        connection.execute(_ACT, {"who": self.who, "why": self.why or "", "what": what})


_ACT = """
SELECT set_config('payferry.who', %(who)s, TRUE),
       set_config('payferry.why', %(why)s, TRUE),
       set_config('payferry.what', %(what)s, TRUE)
"""
