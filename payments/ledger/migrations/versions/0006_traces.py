"""Where an event hangs in its trace, and under which name a dead letter's message is told."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Whoever works on the row, or sends the letter back, goes on in the trace of the bridge that took it in.
PLACES = """
ALTER TABLE inbox        ADD COLUMN trace_parent TEXT;
ALTER TABLE dead_letters ADD COLUMN trace_parent TEXT, ALTER COLUMN trace_parent SET STORAGE MAIN;

COMMENT ON COLUMN inbox.trace_parent    IS 'the span that took it in, or its producer''s, as in the header traceparent';
COMMENT ON COLUMN inbox.correlation_id  IS 'from a header of the Kafka record; otherwise the event id';
COMMENT ON COLUMN inbox.trace_id        IS 'the trace of trace_parent';
"""

TOLD = """
CREATE OR REPLACE FUNCTION dead_letter_attributes(letter dead_letters, telling BIGINT)
RETURNS JSONB LANGUAGE SQL STABLE AS $$
    SELECT jsonb_agg(jsonb_build_array(name, told))
      FROM unnest(
               ARRAY['ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_time', 'ce_subject', 'ce_correlationid',
                     'content-type', 'traceparent'],
               ARRAY[base64_of('1.0'), base64_of(letter.id || '/' || telling), base64_of('/payferry/dead-letters'),
                     base64_of('payferry.dead_letter.' || letter.state), base64_of(to_jsonb(now()) #>> '{}'),
                     base64_of(letter.ordering_key), base64_of(letter.correlation_id),
                     base64_of('application/json'), base64_of(letter.trace_parent)])
        AS header (name, told)
     WHERE told IS NOT NULL
$$;
"""

TOLD_BEFORE = """
CREATE OR REPLACE FUNCTION dead_letter_attributes(letter dead_letters, telling BIGINT)
RETURNS JSONB LANGUAGE SQL STABLE AS $$
    SELECT jsonb_agg(jsonb_build_array(name, told))
      FROM unnest(
               ARRAY['ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_time', 'ce_subject', 'content-type'],
               ARRAY[base64_of('1.0'), base64_of(letter.id || '/' || telling), base64_of('/payferry/dead-letters'),
                     base64_of('payferry.dead_letter.' || letter.state), base64_of(to_jsonb(now()) #>> '{}'),
                     base64_of(letter.ordering_key), base64_of('application/json')])
        AS header (name, told)
     WHERE told IS NOT NULL
$$;
"""


def upgrade() -> None:
    """Add the columns, and tell them."""
    for part in (PLACES, TOLD):
        op.execute(part)


def downgrade() -> None:
    """Take them away."""
    op.execute(TOLD_BEFORE)
    op.execute("ALTER TABLE dead_letters DROP COLUMN trace_parent")
    op.execute("ALTER TABLE inbox DROP COLUMN trace_parent")
