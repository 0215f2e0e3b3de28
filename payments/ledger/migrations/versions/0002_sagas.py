"""What a saga has done, since when an event is put off, and why a payer was declined."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SAGA = """
ALTER TABLE inbox ADD COLUMN saga JSONB NOT NULL DEFAULT '[]';

COMMENT ON COLUMN inbox.saga IS 'steps at the provider: started, done, failed, taken back; lines are only appended';

-- Lines of a history get the database's time, whoever writes them.
CREATE FUNCTION stamped(lines JSONB) RETURNS JSONB LANGUAGE SQL STABLE AS $$
    SELECT coalesce(jsonb_agg(line || jsonb_build_object('at', now()) ORDER BY place), '[]')
      FROM jsonb_array_elements(lines) WITH ORDINALITY AS told (line, place)
$$;
"""

PATIENCE = """
ALTER TABLE inbox ADD COLUMN put_off_since TIMESTAMPTZ;
ALTER TABLE inbox ADD COLUMN waited INTERVAL NOT NULL DEFAULT '0';

COMMENT ON COLUMN inbox.put_off_since IS 'when it was first tried again or told to wait';
COMMENT ON COLUMN inbox.waited        IS 'how much of the time since then was no fault of the payment';
"""

DECLINES = """
CREATE TABLE declines (
    inbox_id        BIGINT      PRIMARY KEY REFERENCES inbox,
    ordering_key    TEXT        NOT NULL,
    kind            TEXT        NOT NULL,
    code            TEXT        NOT NULL,
    declined_at     TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX declines_ordering_key ON declines (ordering_key);
"""


def upgrade() -> None:
    """Add the columns and the table."""
    for part in (SAGA, PATIENCE, DECLINES):
        op.execute(part)


def downgrade() -> None:
    """Drop them, with what they hold."""
    op.execute("DROP TABLE declines")
    op.execute("ALTER TABLE inbox DROP COLUMN saga, DROP COLUMN put_off_since, DROP COLUMN waited")
    op.execute("DROP FUNCTION stamped(JSONB)")
