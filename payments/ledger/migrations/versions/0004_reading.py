"""What others read: the feed of changes, who the customer is, and indexes for listing payments."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CUSTOMERS = """
ALTER TABLE payments
    ADD COLUMN customer_reference   TEXT,
    ADD COLUMN customer_email       TEXT,
    ADD COLUMN changed_by           xid8        NOT NULL DEFAULT '0';

COMMENT ON COLUMN payments.customer_email IS 'personal data: never told to Kafka, Redis or a log';
COMMENT ON COLUMN payments.changed_by     IS 'the transaction of its last change; 0: before this was kept';

CREATE INDEX payments_by_time ON payments (created_at, ordering_key);
CREATE INDEX payments_by_customer ON payments (customer_reference, created_at, ordering_key)
    WHERE customer_reference IS NOT NULL;
"""

# The history of a payment: its unfinished events are in `inbox_line`, the others here. A row enters once, when it ends.
HISTORY = """
CREATE INDEX inbox_ended ON inbox (ordering_key, id)
    WHERE state IN ('settled', 'declined', 'ignored', 'superseded', 'dead');
"""

# Numbers of rows are given out before the rows are visible, so a reader that goes by them alone can pass over a row of
# a slower transaction. It reads in the order of transactions instead, and only what is older than every transaction
# that is still under way (`pg_snapshot_xmin`): nothing can appear behind it.
FEED = """
CREATE TABLE payment_events (
    id                  BIGINT      GENERATED ALWAYS AS IDENTITY,
    txid                xid8        NOT NULL DEFAULT pg_current_xact_id(),
    ordering_key        TEXT        NOT NULL,
    event_id            TEXT        NOT NULL,
    kind                TEXT        NOT NULL,
    ending              TEXT        NOT NULL,
    occurred_at         TIMESTAMPTZ NOT NULL,
    settled_at          TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    decline_kind        TEXT,
    decline_code        TEXT,

    provider            TEXT        NOT NULL,
    payment_id          TEXT        NOT NULL,
    status              TEXT        NOT NULL,
    currency            TEXT        NOT NULL,
    amount_minor        BIGINT      NOT NULL,
    captured_minor      BIGINT      NOT NULL,
    refunded_minor      BIGINT      NOT NULL,
    customer_reference  TEXT,
    created_at          TIMESTAMPTZ NOT NULL,
    revision            BIGINT      NOT NULL,

    PRIMARY KEY (txid, id)
);
CREATE INDEX payment_events_by_age ON payment_events USING brin (settled_at);

COMMENT ON TABLE payment_events IS 'every booked change of a payment, for streams to read; purged after some days';

-- In which database a cursor is good: its transactions are numbered anew where the tables are restored elsewhere.
CREATE TABLE feed_epochs (
    id              UUID        NOT NULL DEFAULT gen_random_uuid(),
    purged_txid     xid8        NOT NULL DEFAULT '0',
    purged_id       BIGINT      NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX feed_epochs_is_one ON feed_epochs ((true));
INSERT INTO feed_epochs DEFAULT VALUES;

COMMENT ON COLUMN feed_epochs.purged_txid IS 'with purged_id the last event that is no longer kept';
"""

# While a fleet is renewed, workers of the version before go on settling, and they write no feed; nor does a person who
# corrects a row by hand. What they change is told all the same. A settlement of this version says in `changed_by` that
# it has written the feed itself, and calls no function here.
UNTOLD = """
CREATE FUNCTION payment_change_is_fed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payment_events (
           ordering_key, event_id, kind, ending, occurred_at, provider, payment_id, status, currency, amount_minor,
           captured_minor, refunded_minor, customer_reference, created_at, revision)
    SELECT NEW.ordering_key, coalesce(ended.event_id, ''), coalesce(ended.kind, ''), coalesce(ended.state, 'settled'),
           coalesce(ended.occurred_at, now()), NEW.provider, NEW.payment_id, NEW.status, NEW.currency,
           NEW.amount_minor, NEW.captured_minor,
           greatest(NEW.refunded_total_minor,
                    (SELECT coalesce(sum(told::BIGINT), 0) FROM jsonb_each_text(NEW.refunds) AS refund (id, told))),
           NEW.customer_reference, NEW.created_at, NEW.version
      FROM (VALUES (1)) AS one
      LEFT JOIN (
           SELECT event_id, kind, state::TEXT, (event ->> 'occurred_at')::TIMESTAMPTZ AS occurred_at
             FROM inbox
            WHERE ordering_key = NEW.ordering_key
              AND state IN ('settled', 'declined', 'ignored', 'superseded', 'dead')
              AND finished_at = now() -- in this very transaction
            ORDER BY id DESC
            LIMIT 1) AS ended ON true;
    UPDATE payments
       SET changed_by = pg_current_xact_id()
     WHERE ordering_key = NEW.ordering_key;
    RETURN NULL;
END
$$;

CREATE TRIGGER payment_change_is_fed AFTER INSERT OR UPDATE ON payments
    FOR EACH ROW WHEN (NEW.changed_by <> pg_current_xact_id()) EXECUTE FUNCTION payment_change_is_fed();
"""


def upgrade() -> None:
    """Add the columns, the index, the feed, and what feeds it for those who do not."""
    for part in (CUSTOMERS, HISTORY, FEED, UNTOLD):
        op.execute(part)


def downgrade() -> None:
    """Drop them, with what they hold."""
    op.execute("DROP TRIGGER payment_change_is_fed ON payments")
    op.execute("DROP FUNCTION payment_change_is_fed()")
    op.execute("DROP TABLE payment_events, feed_epochs")
    op.execute("DROP INDEX payments_by_time, payments_by_customer, inbox_ended")
    op.execute(
        "ALTER TABLE payments DROP COLUMN customer_reference, DROP COLUMN customer_email, DROP COLUMN changed_by"
    )
