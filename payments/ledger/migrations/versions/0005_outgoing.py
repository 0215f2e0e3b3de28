"""What goes out: lanes that relays share, a bell that wakes them, CloudEvents, dead letters of refused messages."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A key has one lane, and a lane one relay at a time, so relays work side by side and the order of each key holds.
LANES = """
ALTER TABLE outbox
    ADD COLUMN lane             SMALLINT    NOT NULL GENERATED ALWAYS AS ((hashtext(key) & 15)::SMALLINT) STORED,
    ADD COLUMN dead_letter_id   BIGINT;

COMMENT ON COLUMN outbox.lane           IS 'of its key; which relay holds which lane is known by advisory locks';
COMMENT ON COLUMN outbox.dead_letter_id IS 'the dead letter that it is a replay of';

DROP INDEX outbox_waiting;
CREATE INDEX outbox_waiting ON outbox (topic, lane, id) WHERE refused IS NULL;
"""

# PostgreSQL lets only one transaction at a time commit with a notification: the lock that it takes for that is held
# over the commit and its wait for the disk, so every settlement would wait for the one before it. So at most one
# transaction at a time carries one, and the others do without. Who was woken looks again every few milliseconds for a
# while, and finds them; what commits later than that is found by the timer. It rings for the feed as well, since
# whatever is written there is announced too.
BELL = """
CREATE FUNCTION outbox_rings() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF pg_try_advisory_xact_lock(7217309315) THEN
        PERFORM pg_notify('payferry_news', '');
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER outbox_rings AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_rings();
"""

# An outgoing message that the brokers refuse for good becomes a dead letter; it is on its way again while it stands in
# the outbox and not in the inbox.
REFUSED = """
ALTER TABLE dead_letters
    DROP CONSTRAINT dead_letters_origin_check,
    ADD  CONSTRAINT dead_letters_origin_check
         CHECK (origin IN ('intake', 'process', 'edit', 'import', 'outbox')),
    DROP CONSTRAINT dead_letters_check3,
    ADD  CONSTRAINT dead_letters_check3
         CHECK (state <> 'replaying' OR inbox_id IS NOT NULL OR origin = 'outbox');

COMMENT ON COLUMN dead_letters.origin IS
    'where it was buried: at intake, in process, as an edit, by import, on its way out';
COMMENT ON COLUMN dead_letters.resolution IS
    'the state in which its event ended; replaced: an edited child took over; sent: the brokers took it at last';

-- What was set aside before there were letters for it is tried once more, and then is one.
UPDATE outbox SET refused = NULL WHERE topic NOT LIKE '%.dlq';
"""

# CloudEvents 1.0 in the binary mode of its Kafka binding. The number tells the changes of a letter apart.
TOLD = """
CREATE SEQUENCE dead_letter_tellings;

CREATE FUNCTION dead_letter_attributes(letter dead_letters, telling BIGINT) RETURNS JSONB LANGUAGE SQL STABLE AS $$
    SELECT jsonb_agg(jsonb_build_array(name, told))
      FROM unnest(
               ARRAY['ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_time', 'ce_subject', 'content-type'],
               ARRAY[base64_of('1.0'), base64_of(letter.id || '/' || telling), base64_of('/payferry/dead-letters'),
                     base64_of('payferry.dead_letter.' || letter.state), base64_of(to_jsonb(now()) #>> '{}'),
                     base64_of(letter.ordering_key), base64_of('application/json')])
        AS header (name, told)
     WHERE told IS NOT NULL
$$;

-- A letter of an outgoing message is told of where its event came from: nobody need have a topic of its own for it.
CREATE OR REPLACE FUNCTION dead_letter_told() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    origin_topic TEXT := NEW.topic;
BEGIN
    IF NEW.origin = 'outbox' THEN
        SELECT coalesce(min(inbox.topic), NEW.topic)
          INTO origin_topic
          FROM inbox
         WHERE inbox.provider = NEW.provider
           AND inbox.event_id = NEW.event_id;
    END IF;
    INSERT INTO outbox (topic, key, headers, payload)
    VALUES (origin_topic || '.dlq', NEW.id::TEXT,
            dead_letter_headers(NEW) || dead_letter_attributes(NEW, nextval('dead_letter_tellings')),
            dead_letter_json(NEW));
    RETURN NULL;
END
$$;
"""

# An e-mail stays in the tables, but for the bytes of the record itself.
WITHOUT_PERSON = """
ALTER FUNCTION dead_letter_json(dead_letters) RENAME TO dead_letter_whole_json;

CREATE FUNCTION dead_letter_json(letter dead_letters) RETURNS JSONB LANGUAGE SQL STABLE AS $$
    SELECT dead_letter_whole_json(letter) #- '{event,customer_email}'
$$;
"""

WITH_PERSON = """
DROP FUNCTION dead_letter_json(dead_letters);
ALTER FUNCTION dead_letter_whole_json(dead_letters) RENAME TO dead_letter_json;
"""

UNTOLD = """
CREATE OR REPLACE FUNCTION dead_letter_told() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (topic, key, headers, payload)
    VALUES (NEW.topic || '.dlq', NEW.id::TEXT, dead_letter_headers(NEW), dead_letter_json(NEW));
    RETURN NULL;
END
$$;

DROP FUNCTION dead_letter_attributes(dead_letters, BIGINT);
DROP SEQUENCE dead_letter_tellings;
"""

# Those that are not on their way stand in the outbox again, set aside as they were before there were letters for them.
BACK_IN_THE_OUTBOX = """
INSERT INTO outbox (topic, key, headers, payload, refused)
SELECT topic, convert_from(key, 'UTF8'), headers, convert_from(payload, 'UTF8')::JSONB, message
  FROM dead_letters
 WHERE origin = 'outbox'
   AND state IN ('pending', 'parked');

DELETE FROM dead_letter_texts WHERE letter_id IN (SELECT id FROM dead_letters WHERE origin = 'outbox');
DELETE FROM dead_letters WHERE origin = 'outbox';

ALTER TABLE dead_letters
    DROP CONSTRAINT dead_letters_origin_check,
    ADD  CONSTRAINT dead_letters_origin_check CHECK (origin IN ('intake', 'process', 'edit', 'import')),
    DROP CONSTRAINT dead_letters_check3,
    ADD  CONSTRAINT dead_letters_check3 CHECK (state <> 'replaying' OR inbox_id IS NOT NULL);
"""


def upgrade() -> None:
    """Add the lanes, the bell, and what refused messages and CloudEvents need."""
    for part in (LANES, BELL, REFUSED, TOLD, WITHOUT_PERSON):
        op.execute(part)


def downgrade() -> None:
    """Take them away."""
    op.execute(WITH_PERSON)
    op.execute(UNTOLD)
    op.execute("DROP TRIGGER outbox_rings ON outbox")
    op.execute("DROP FUNCTION outbox_rings()")
    op.execute(BACK_IN_THE_OUTBOX)
    op.execute("DROP INDEX outbox_waiting")
    op.execute("ALTER TABLE outbox DROP COLUMN lane, DROP COLUMN dead_letter_id")
    op.execute("CREATE INDEX outbox_waiting ON outbox (id) WHERE refused IS NULL")
