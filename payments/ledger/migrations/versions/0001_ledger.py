"""The first ledger: inbox, payments, entries, dead letters, outbox, beat slots."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INBOX = """
CREATE TYPE inbox_state AS ENUM (
    'received', 'processing', 'retrying', 'waiting', 'verifying',      -- unfinished
    'settled', 'declined', 'ignored', 'superseded', 'dead'             -- ended
);

CREATE SEQUENCE wakeups;

CREATE TABLE inbox (
    id              BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider        TEXT        NOT NULL,
    event_id        TEXT        NOT NULL,
    kind            TEXT        NOT NULL,
    ordering_key    TEXT,
    event           JSONB       NOT NULL,

    topic           TEXT        NOT NULL,
    partition       INTEGER     NOT NULL,
    "offset"        BIGINT      NOT NULL,
    key             BYTEA,
    headers         JSONB       NOT NULL DEFAULT '[]',
    payload         BYTEA       NOT NULL,

    state           inbox_state NOT NULL,
    attempts        INTEGER     NOT NULL DEFAULT 0,
    token           BIGINT      NOT NULL DEFAULT 0,
    lease_until     TIMESTAMPTZ,
    due_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    yielding_since  TIMESTAMPTZ,
    wakeup          BIGINT      NOT NULL,
    woken_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    failures        JSONB       NOT NULL DEFAULT '[]',

    received_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    finished_at     TIMESTAMPTZ,

    UNIQUE (provider, event_id),
    CHECK (ordering_key IS NOT NULL OR kind = 'ignored'),
    CHECK ((state = 'processing') = (lease_until IS NOT NULL))
);

COMMENT ON COLUMN inbox.token          IS 'fencing token: counts the claims; a write names the one it holds';
COMMENT ON COLUMN inbox.wakeup         IS 'number of the latest Celery message sent for this row';
COMMENT ON COLUMN inbox.yielding_since IS 'waits for an event behind it, which may therefore go first';

-- The line of a payment: who is first among the unfinished.
CREATE INDEX inbox_line ON inbox (ordering_key, id)
    WHERE state IN ('received', 'processing', 'retrying', 'waiting', 'verifying');

-- Two events of one payment are never worked on at once: the database itself refuses.
CREATE UNIQUE INDEX inbox_one_at_work ON inbox (ordering_key)
    WHERE state = 'processing';

-- What the sweeper looks through.
CREATE INDEX inbox_wakeup ON inbox (provider, wakeup)
    WHERE state IN ('received', 'retrying', 'waiting', 'verifying');

-- Several names of one payment: PayPal's order, authorization and capture have an id each.
CREATE TABLE aliases (
    alias           TEXT        PRIMARY KEY,
    ordering_key    TEXT        NOT NULL,

    CHECK (alias <> ordering_key)
);
CREATE INDEX aliases_ordering_key ON aliases (ordering_key);
"""

BOOKS = """
CREATE TABLE payments (
    ordering_key          TEXT        PRIMARY KEY,
    provider              TEXT        NOT NULL,
    payment_id            TEXT        NOT NULL,
    status                TEXT        NOT NULL,
    currency              TEXT        NOT NULL,
    amount_minor          BIGINT      NOT NULL,
    captured_minor        BIGINT      NOT NULL,
    refunded_total_minor  BIGINT      NOT NULL,
    refunds               JSONB       NOT NULL,
    disputes              JSONB       NOT NULL,
    authorization_id      TEXT,
    capture_id            TEXT,
    version               BIGINT      NOT NULL,
    created_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at            TIMESTAMPTZ NOT NULL DEFAULT now(),

    CHECK (amount_minor >= 0 AND captured_minor >= 0 AND refunded_total_minor >= 0)
);

CREATE TABLE entries (
    ordering_key    TEXT        NOT NULL REFERENCES payments,
    leg             TEXT        NOT NULL,
    account         TEXT        NOT NULL,
    amount_minor    BIGINT      NOT NULL,
    currency        TEXT        NOT NULL,
    inbox_id        BIGINT      NOT NULL,
    booked_at       TIMESTAMPTZ NOT NULL DEFAULT now(),

    PRIMARY KEY (ordering_key, leg)
);

COMMENT ON COLUMN entries.amount_minor IS 'debits are positive, credits negative; a payment sums to zero per currency';
"""

LEAVING = """
CREATE TABLE outbox (
    id              BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic           TEXT        NOT NULL,
    key             TEXT        NOT NULL,
    payload         JSONB       NOT NULL,
    refused         TEXT,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);

COMMENT ON COLUMN outbox.refused IS 'why the brokers will never take it: set aside for a person, not in the way';

CREATE INDEX outbox_waiting ON outbox (id) WHERE refused IS NULL;

CREATE TABLE dead_letters (
    id              BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    inbox_id        BIGINT      UNIQUE REFERENCES inbox,
    provider        TEXT,
    event_id        TEXT,
    ordering_key    TEXT,

    topic           TEXT        NOT NULL,
    partition       INTEGER     NOT NULL,
    "offset"        BIGINT      NOT NULL,
    key             BYTEA,
    headers         JSONB       NOT NULL DEFAULT '[]',
    payload         BYTEA       NOT NULL,
    payload_sha256  BYTEA       GENERATED ALWAYS AS (sha256(payload)) STORED,

    reason          TEXT        NOT NULL,
    message         TEXT        NOT NULL,
    failures        JSONB       NOT NULL DEFAULT '[]',
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- A record that Kafka delivers again is buried once.
CREATE UNIQUE INDEX dead_letters_record ON dead_letters (topic, partition, "offset", payload_sha256)
    WHERE inbox_id IS NULL;
"""

CLOCKWORK = """
CREATE TABLE beat_slots (
    name            TEXT        PRIMARY KEY,
    taken_at        TIMESTAMPTZ NOT NULL
);
"""


def upgrade() -> None:
    """Create the tables."""
    for part in (INBOX, BOOKS, LEAVING, CLOCKWORK):
        op.execute(part)


def downgrade() -> None:
    """Drop them, with everything in them."""
    op.execute("DROP TABLE beat_slots, dead_letters, outbox, entries, payments, aliases, inbox")
    op.execute("DROP SEQUENCE wakeups")
    op.execute("DROP TYPE inbox_state")
