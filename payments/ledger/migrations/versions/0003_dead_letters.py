"""Dead letters as records with a life of their own: replayed, parked, resolved, discarded, audited and archived."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INBOX = """
ALTER TABLE inbox ADD COLUMN correlation_id TEXT;
ALTER TABLE inbox ADD COLUMN trace_id TEXT;
ALTER TABLE inbox ADD COLUMN waiting_for TEXT;
ALTER TABLE inbox ADD COLUMN first_event JSONB;

COMMENT ON COLUMN inbox.correlation_id IS 'from the header of the Kafka record; otherwise the event id is used';
COMMENT ON COLUMN inbox.trace_id       IS 'from the header traceparent';
COMMENT ON COLUMN inbox.first_event    IS 'the event as it came, where an edit has changed it';
COMMENT ON COLUMN inbox.waiting_for    IS 'the code of what it was put off for, while its state is waiting';
"""

OUTBOX = """
ALTER TABLE outbox ADD COLUMN headers JSONB NOT NULL DEFAULT '[]';

COMMENT ON COLUMN outbox.headers IS 'pairs of a name and base64';

-- What is gone in a moment is not worth compressing.
ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN headers SET STORAGE EXTERNAL;
"""

LETTERS = """
CREATE TYPE dead_letter_state AS ENUM ('pending', 'replaying', 'resolved', 'parked', 'discarded');

ALTER TABLE dead_letters
    ADD COLUMN origin          TEXT              NOT NULL DEFAULT 'process',
    ADD COLUMN event           JSONB,
    ADD COLUMN state           dead_letter_state NOT NULL DEFAULT 'parked',
    ADD COLUMN resolution      TEXT,
    ADD COLUMN failure_type    TEXT              NOT NULL DEFAULT 'permanent',
    ADD COLUMN category        TEXT              NOT NULL DEFAULT 'permanent',
    ADD COLUMN stack           TEXT              NOT NULL DEFAULT '',
    ADD COLUMN service         TEXT              NOT NULL DEFAULT 'payferry',
    ADD COLUMN operation       TEXT              NOT NULL DEFAULT '',
    ADD COLUMN correlation_id  TEXT,
    ADD COLUMN trace_id        TEXT,
    ADD COLUMN fingerprint     TEXT              NOT NULL DEFAULT '',
    ADD COLUMN criticality     TEXT              NOT NULL DEFAULT 'normal',
    ADD COLUMN alerted_at      TIMESTAMPTZ,
    ADD COLUMN replays         JSONB             NOT NULL DEFAULT '[]',
    ADD COLUMN replay_count    INTEGER           NOT NULL DEFAULT 0,
    ADD COLUMN first_failed_at TIMESTAMPTZ       NOT NULL DEFAULT now(),
    ADD COLUMN last_failed_at  TIMESTAMPTZ       NOT NULL DEFAULT now(),
    ADD COLUMN next_replay_at  TIMESTAMPTZ,
    ADD COLUMN ended_at        TIMESTAMPTZ,
    ADD COLUMN job_id          BIGINT,
    ADD COLUMN parent_id       BIGINT,
    ADD COLUMN replaced_by     BIGINT,
    ADD CHECK (origin IN ('intake', 'process', 'edit', 'import')),
    ADD CHECK (category IN ('transient', 'unknown', 'permanent')),
    ADD CHECK ((state IN ('resolved', 'discarded')) = (ended_at IS NOT NULL)),
    ADD CHECK ((state = 'resolved') = (resolution IS NOT NULL)),
    ADD CHECK ((state = 'pending') = (next_replay_at IS NOT NULL)),
    ADD CHECK (state <> 'replaying' OR inbox_id IS NOT NULL);

COMMENT ON COLUMN dead_letters.origin      IS 'where it was buried: at intake, in process, as an edit, by import';
COMMENT ON COLUMN dead_letters.resolution  IS 'the state in which its event ended; replaced: an edited child took over';
COMMENT ON COLUMN dead_letters.replays     IS 'every replay and how it ended; lines are only appended';
COMMENT ON COLUMN dead_letters.job_id      IS 'the latest job that decided about it, so that no job does so twice';
COMMENT ON COLUMN dead_letters.parent_id   IS 'the letter that this one is an edit of; it may be in the archive';
COMMENT ON COLUMN dead_letters.criticality IS 'normal, or why a person must hear of it at once';

-- What was buried before there were states: a record that was never taken in, or an event that is dead.
UPDATE dead_letters
   SET origin          = CASE WHEN inbox_id IS NULL THEN 'intake' ELSE 'process' END,
       failure_type    = coalesce(failures -> -1 ->> 'kind',
                                  CASE WHEN inbox_id IS NULL THEN 'undecodable' ELSE 'permanent' END),
       service         = coalesce(failures -> -1 ->> 'service', service),
       operation       = coalesce(failures -> -1 ->> 'operation', operation),
       correlation_id  = event_id,
       fingerprint     = left(encode(sha256(convert_to(reason, 'UTF8')), 'hex'), 16),
       event           = (SELECT inbox.event FROM inbox WHERE inbox.id = inbox_id),
       first_failed_at = coalesce((failures -> 0 ->> 'at')::TIMESTAMPTZ, created_at),
       last_failed_at  = created_at;

-- After a way down and up again some of these events are at work, or have ended.
UPDATE dead_letters
   SET state      = CASE WHEN inbox.finished_at IS NULL THEN 'replaying' ELSE 'resolved' END::dead_letter_state,
       resolution = CASE WHEN inbox.finished_at IS NOT NULL THEN inbox.state::TEXT END,
       ended_at   = inbox.finished_at
  FROM inbox
 WHERE inbox.id = dead_letters.inbox_id
   AND inbox.state <> 'dead';

-- The main table stays lean, so that counting and grouping read little: long values stand aside, short ones do not.
ALTER TABLE dead_letters
    SET (toast_tuple_target = 256),
    ALTER COLUMN provider       SET STORAGE MAIN, ALTER COLUMN event_id       SET STORAGE MAIN,
    ALTER COLUMN ordering_key   SET STORAGE MAIN, ALTER COLUMN topic          SET STORAGE MAIN,
    ALTER COLUMN key            SET STORAGE MAIN, ALTER COLUMN payload_sha256 SET STORAGE MAIN,
    ALTER COLUMN origin         SET STORAGE MAIN, ALTER COLUMN resolution     SET STORAGE MAIN,
    ALTER COLUMN failure_type   SET STORAGE MAIN, ALTER COLUMN category       SET STORAGE MAIN,
    ALTER COLUMN reason         SET STORAGE MAIN, ALTER COLUMN message        SET STORAGE MAIN,
    ALTER COLUMN service        SET STORAGE MAIN, ALTER COLUMN operation      SET STORAGE MAIN,
    ALTER COLUMN correlation_id SET STORAGE MAIN, ALTER COLUMN trace_id       SET STORAGE MAIN,
    ALTER COLUMN fingerprint    SET STORAGE MAIN, ALTER COLUMN criticality    SET STORAGE MAIN;

ALTER TABLE dead_letters DROP CONSTRAINT dead_letters_inbox_id_key;
DROP INDEX dead_letters_record;

-- An inbox row has one letter that speaks for it: the latest edit.
CREATE UNIQUE INDEX dead_letters_inbox ON dead_letters (inbox_id)
    WHERE inbox_id IS NOT NULL AND replaced_by IS NULL;

-- A record that Kafka delivers again, or a file that is imported again, is buried once.
CREATE UNIQUE INDEX dead_letters_record ON dead_letters (topic, partition, "offset", payload_sha256)
    WHERE origin IN ('intake', 'import');

CREATE INDEX dead_letters_due ON dead_letters (provider, next_replay_at) WHERE state = 'pending';
CREATE INDEX dead_letters_line ON dead_letters (ordering_key, inbox_id);
CREATE INDEX dead_letters_fingerprint ON dead_letters (fingerprint);
CREATE INDEX dead_letters_children ON dead_letters (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX dead_letters_ended ON dead_letters (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX dead_letters_unalerted ON dead_letters (id) WHERE criticality <> 'normal' AND alerted_at IS NULL;
"""

SEARCH = """
-- What `--contains` looks through: the message and the first 64 KiB of the payload, bytes as they are but for ASCII
-- letters in lower case. Narrow and uncompressed, so that reading all of it is quick.
CREATE TABLE dead_letter_texts (
    letter_id       BIGINT      PRIMARY KEY REFERENCES dead_letters ON DELETE CASCADE,
    words           BYTEA       STORAGE EXTERNAL NOT NULL
);

CREATE FUNCTION dead_letter_words(message TEXT, payload BYTEA) RETURNS BYTEA LANGUAGE SQL STABLE AS $$
    SELECT decode(lower(encode(
        convert_to(message, 'UTF8') || '\\x0a'::BYTEA || substring(payload FOR 65536), 'escape') COLLATE "C"), 'escape')
$$;

INSERT INTO dead_letter_texts
SELECT id, dead_letter_words(message, payload)
  FROM dead_letters;
"""

RECORD = """
-- Base64 on one line.
CREATE FUNCTION base64(told BYTEA) RETURNS TEXT LANGUAGE SQL IMMUTABLE AS $$
    SELECT replace(encode(told, 'base64'), E'\\n', '')
$$;

CREATE FUNCTION base64_of(told TEXT) RETURNS TEXT LANGUAGE SQL IMMUTABLE AS $$
    SELECT replace(encode(convert_to(told, 'UTF8'), 'base64'), E'\\n', '')
$$;

-- The one form in which a dead letter is told: on the topic of dead letters, by `payferry dlq show --json`, in exports.
-- Brokers refuse messages of a megabyte, so a payload of more than 64 KiB is told by its size and checksum alone.
CREATE FUNCTION dead_letter_json(letter dead_letters) RETURNS JSONB LANGUAGE SQL STABLE AS $$
    SELECT jsonb_build_object(
        'version', 1, 'id', letter.id, 'state', letter.state, 'resolution', letter.resolution, 'origin', letter.origin,
        'provider', letter.provider, 'event_id', letter.event_id, 'payment', letter.ordering_key,
        'event', letter.event, 'inbox_id', letter.inbox_id)
    || jsonb_build_object(
        'topic', letter.topic, 'partition', letter.partition, 'offset', letter."offset",
        'key', base64(letter.key), 'headers', letter.headers,
        'payload', CASE WHEN length(letter.payload) <= 65536 THEN base64(letter.payload) END,
        'payload_size', length(letter.payload), 'payload_sha256', encode(letter.payload_sha256, 'hex'))
    || jsonb_build_object(
        'failure_type', letter.failure_type, 'category', letter.category, 'reason', letter.reason,
        'message', letter.message, 'stack', letter.stack, 'service', letter.service, 'operation', letter.operation,
        'correlation_id', letter.correlation_id, 'trace_id', letter.trace_id, 'attempts', letter.failures,
        'fingerprint', letter.fingerprint, 'criticality', letter.criticality)
    || jsonb_build_object(
        'replays', letter.replays, 'replay_count', letter.replay_count, 'first_failed_at', letter.first_failed_at,
        'last_failed_at', letter.last_failed_at, 'next_replay_at', letter.next_replay_at,
        'ended_at', letter.ended_at, 'job_id', letter.job_id, 'parent_id', letter.parent_id,
        'replaced_by', letter.replaced_by)
$$;

CREATE FUNCTION dead_letter_headers(letter dead_letters) RETURNS JSONB LANGUAGE SQL STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_array(name, told)), '[]')
      FROM unnest(
               ARRAY['original_topic', 'partition', 'offset', 'key', 'value', 'error', 'timestamp', 'retry_count',
                     'dead_letter_id', 'state', 'category', 'failure_type', 'reason', 'provider', 'event_id',
                     'payment', 'fingerprint', 'criticality', 'correlation_id', 'trace_id'],
               ARRAY[base64_of(letter.topic), base64_of(letter.partition::TEXT), base64_of(letter."offset"::TEXT),
                     base64(letter.key), CASE WHEN length(letter.payload) <= 65536 THEN base64(letter.payload) END,
                     base64_of(letter.reason || ': ' || letter.message),
                     base64_of(to_jsonb(letter.last_failed_at) #>> '{}'), base64_of(letter.replay_count::TEXT),
                     base64_of(letter.id::TEXT), base64_of(letter.state::TEXT), base64_of(letter.category),
                     base64_of(letter.failure_type), base64_of(letter.reason), base64_of(letter.provider),
                     base64_of(letter.event_id), base64_of(letter.ordering_key), base64_of(letter.fingerprint),
                     base64_of(letter.criticality), base64_of(letter.correlation_id), base64_of(letter.trace_id)])
        AS header (name, told)
     WHERE told IS NOT NULL
$$;
"""

WATCHING = """
-- Who changed what, when, why: by trigger, so that no statement can forget it. `payferry.who`, `.what` and `.why` are
-- set for the length of a transaction by those who are a person, a job or a beat; otherwise it is a worker.
CREATE TABLE dead_letter_audit (
    id              BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id       BIGINT,
    job_id          BIGINT,
    at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    who             TEXT        NOT NULL,
    what            TEXT        NOT NULL,
    why             TEXT,
    before          JSONB,
    after           JSONB
);
CREATE INDEX dead_letter_audit_letter ON dead_letter_audit (letter_id, id);

COMMENT ON TABLE dead_letter_audit IS 'of a letter, of a job, or, where neither is named, of replay by beat';

CREATE FUNCTION told_setting(name TEXT) RETURNS TEXT LANGUAGE SQL STABLE AS $$
    SELECT nullif(current_setting(name, true), '')
$$;

CREATE FUNCTION dead_letter_brief(letter dead_letters) RETURNS JSONB LANGUAGE SQL STABLE AS $$
    SELECT jsonb_build_object(
        'state', letter.state, 'resolution', letter.resolution, 'reason', letter.reason,
        'replay_count', letter.replay_count, 'next_replay_at', letter.next_replay_at, 'job_id', letter.job_id,
        'payload_sha256', encode(letter.payload_sha256, 'hex'), 'replaced_by', letter.replaced_by)
$$;

CREATE FUNCTION dead_letter_begins() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dead_letter_texts VALUES (NEW.id, dead_letter_words(NEW.message, NEW.payload));
    IF NEW.parent_id IS NOT NULL THEN
        INSERT INTO dead_letter_audit (letter_id, who, what, why, before, after)
        VALUES (NEW.id, coalesce(told_setting('payferry.who'), 'worker'),
                coalesce(told_setting('payferry.what'), 'edit'), told_setting('payferry.why'),
                NULL, dead_letter_brief(NEW));
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION dead_letter_changes() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dead_letter_audit (letter_id, who, what, why, before, after)
    VALUES (NEW.id, coalesce(told_setting('payferry.who'), 'worker'),
            coalesce(told_setting('payferry.what'), NEW.state::TEXT), told_setting('payferry.why'),
            dead_letter_brief(OLD), dead_letter_brief(NEW));
    RETURN NULL;
END
$$;

CREATE FUNCTION dead_letter_message_changes() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dead_letter_texts
       SET words = dead_letter_words(NEW.message, NEW.payload)
     WHERE letter_id = NEW.id;
    RETURN NULL;
END
$$;

-- The announcement goes out with the change that it tells of. What is under way is told when it has ended.
CREATE FUNCTION dead_letter_told() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (topic, key, headers, payload)
    VALUES (NEW.topic || '.dlq', NEW.id::TEXT, dead_letter_headers(NEW), dead_letter_json(NEW));
    RETURN NULL;
END
$$;

CREATE TRIGGER dead_letter_begins AFTER INSERT ON dead_letters
    FOR EACH ROW EXECUTE FUNCTION dead_letter_begins();

CREATE TRIGGER dead_letter_message_changes AFTER UPDATE ON dead_letters
    FOR EACH ROW WHEN (OLD.message IS DISTINCT FROM NEW.message) EXECUTE FUNCTION dead_letter_message_changes();

CREATE TRIGGER dead_letter_is_told AFTER INSERT ON dead_letters
    FOR EACH ROW WHEN (NEW.state <> 'replaying') EXECUTE FUNCTION dead_letter_told();

CREATE TRIGGER dead_letter_changes AFTER UPDATE ON dead_letters
    FOR EACH ROW WHEN (
        OLD.state IS DISTINCT FROM NEW.state OR OLD.reason IS DISTINCT FROM NEW.reason
        OR OLD.replay_count IS DISTINCT FROM NEW.replay_count OR OLD.next_replay_at IS DISTINCT FROM NEW.next_replay_at
        OR OLD.replaced_by IS DISTINCT FROM NEW.replaced_by OR OLD.last_failed_at IS DISTINCT FROM NEW.last_failed_at)
    EXECUTE FUNCTION dead_letter_changes();

CREATE TRIGGER dead_letter_change_is_told AFTER UPDATE ON dead_letters
    FOR EACH ROW WHEN (NEW.state <> 'replaying' AND (
        OLD.state IS DISTINCT FROM NEW.state OR OLD.reason IS DISTINCT FROM NEW.reason
        OR OLD.replay_count IS DISTINCT FROM NEW.replay_count OR OLD.next_replay_at IS DISTINCT FROM NEW.next_replay_at
        OR OLD.replaced_by IS DISTINCT FROM NEW.replaced_by OR OLD.last_failed_at IS DISTINCT FROM NEW.last_failed_at))
    EXECUTE FUNCTION dead_letter_told();
"""

REPLAYING = """
-- How far a pace is spent: the replays of one provider, or one job. Time up to `spent_until` is used up.
CREATE TABLE replay_paces (
    name            TEXT        PRIMARY KEY,
    spent_until     TIMESTAMPTZ NOT NULL
);

CREATE TABLE replay_jobs (
    id              BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_by         TEXT        NOT NULL,
    why             TEXT,
    chosen          JSONB       NOT NULL,
    rate_per_second FLOAT8,
    state           TEXT        NOT NULL DEFAULT 'running',
    cursors         JSONB       NOT NULL DEFAULT '{}',
    last_id         BIGINT      NOT NULL,
    total           BIGINT      NOT NULL,
    sent            BIGINT      NOT NULL DEFAULT 0,
    superseded      BIGINT      NOT NULL DEFAULT 0,
    refused         BIGINT      NOT NULL DEFAULT 0,
    held            BIGINT      NOT NULL DEFAULT 0,
    waits_for       TEXT,
    token           BIGINT      NOT NULL DEFAULT 0,
    lease_until     TIMESTAMPTZ NOT NULL DEFAULT '-infinity',
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    ended_at        TIMESTAMPTZ,

    CHECK (state IN ('running', 'paused', 'cancelled', 'done')),
    CHECK ((state IN ('cancelled', 'done')) = (ended_at IS NOT NULL))
);

COMMENT ON COLUMN replay_jobs.token   IS 'fencing token: counts the workers that took it up';
COMMENT ON COLUMN replay_jobs.cursors IS 'for each provider the last id that this pass has come to';
COMMENT ON COLUMN replay_jobs.held    IS 'left where they are, because a gate holds them back';
COMMENT ON COLUMN replay_jobs.refused IS 'sent back in vain: still no payment event';

CREATE INDEX replay_jobs_at_work ON replay_jobs (lease_until) WHERE state = 'running';

-- The one switch of replay by beat, and for how far the closings of each breaker were followed.
CREATE TABLE replay_switch (
    is_paused       BOOLEAN     NOT NULL,
    who             TEXT        NOT NULL,
    why             TEXT,
    at              TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX replay_switch_is_one ON replay_switch ((true));

CREATE TABLE breaker_closings (
    name            TEXT        PRIMARY KEY,
    generation      BIGINT      NOT NULL
);

CREATE TABLE dead_letter_archives (
    id              BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file            TEXT,
    content         BYTEA       STORAGE EXTERNAL,
    sha256          TEXT        NOT NULL,
    bytes           BIGINT      NOT NULL,
    letters         BIGINT      NOT NULL,
    first_id        BIGINT      NOT NULL,
    last_id         BIGINT      NOT NULL,
    oldest          TIMESTAMPTZ NOT NULL,
    newest          TIMESTAMPTZ NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),

    CHECK ((file IS NULL) <> (content IS NULL))
);

COMMENT ON TABLE dead_letter_archives IS 'what was archived and purged; the content too where no folder is set';

-- Where records stood that were no events, once their dead letters are in the archive: they are not lost.
CREATE TABLE purged_records (
    topic           TEXT        NOT NULL,
    partition       INTEGER     NOT NULL,
    "offset"        BIGINT      NOT NULL,
    inbox_id        BIGINT,

    PRIMARY KEY (topic, partition, "offset")
);

COMMENT ON COLUMN purged_records.inbox_id IS 'the event that a replay or an edit has made of it';

-- Why no bridge of a group takes records from a topic, until somebody says go on.
CREATE TABLE bridge_pauses (
    topic           TEXT        NOT NULL,
    group_id        TEXT        NOT NULL,
    reason          TEXT        NOT NULL,
    bad             INTEGER     NOT NULL,
    looked_at       INTEGER     NOT NULL,
    paused_by       TEXT        NOT NULL,
    paused_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    probed_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    resumed_by      TEXT,
    resumed_why     TEXT,
    resumed_at      TIMESTAMPTZ,
    well_at         TIMESTAMPTZ,

    PRIMARY KEY (topic, group_id),
    CHECK ((resumed_at IS NULL) = (resumed_by IS NULL)),
    CHECK (well_at IS NULL OR resumed_at IS NOT NULL)
);

COMMENT ON COLUMN bridge_pauses.looked_at IS 'how many records were looked at, of which so many were bad';
COMMENT ON COLUMN bridge_pauses.well_at   IS 'when records were well again; until then a person''s word holds';
"""


def upgrade() -> None:
    """Add the columns, the tables and what watches over them."""
    for part in (INBOX, OUTBOX, LETTERS, SEARCH, RECORD, WATCHING, REPLAYING):
        op.execute(part)


def downgrade() -> None:
    """Take them away. Edits and imports go with their columns; what they replaced speaks again."""
    op.execute("DELETE FROM dead_letters WHERE origin IN ('edit', 'import')")
    op.execute("DROP TRIGGER dead_letter_begins ON dead_letters")
    op.execute("DROP TRIGGER dead_letter_is_told ON dead_letters")
    op.execute("DROP TRIGGER dead_letter_changes ON dead_letters")
    op.execute("DROP TRIGGER dead_letter_message_changes ON dead_letters")
    op.execute("DROP TRIGGER dead_letter_change_is_told ON dead_letters")
    op.execute("DROP FUNCTION dead_letter_begins(), dead_letter_changes(), dead_letter_told()")
    op.execute("DROP FUNCTION dead_letter_message_changes()")
    op.execute("DROP FUNCTION dead_letter_json(dead_letters), dead_letter_headers(dead_letters)")
    op.execute("DROP FUNCTION dead_letter_brief(dead_letters), told_setting(TEXT)")
    op.execute("DROP TABLE bridge_pauses, purged_records, dead_letter_archives, breaker_closings")
    op.execute("DROP TABLE replay_switch, replay_jobs, replay_paces, dead_letter_audit, dead_letter_texts")
    op.execute("DROP FUNCTION dead_letter_words(TEXT, BYTEA), base64(BYTEA), base64_of(TEXT)")
    op.execute("DROP INDEX dead_letters_record, dead_letters_line, dead_letters_inbox")
    op.execute("UPDATE dead_letters SET inbox_id = NULL WHERE origin = 'intake'")
    op.execute(_COLUMNS_AWAY)
    op.execute("DROP TYPE dead_letter_state")
    op.execute("""CREATE UNIQUE INDEX dead_letters_record ON dead_letters (topic, partition, "offset", payload_sha256)
                   WHERE inbox_id IS NULL""")
    op.execute("ALTER TABLE dead_letters ADD CONSTRAINT dead_letters_inbox_id_key UNIQUE (inbox_id)")
    op.execute(_STORAGE_AGAIN)
    op.execute("ALTER TABLE outbox DROP COLUMN headers, ALTER COLUMN payload SET STORAGE EXTENDED")
    op.execute(
        "ALTER TABLE inbox DROP COLUMN correlation_id, DROP COLUMN trace_id, DROP COLUMN waiting_for, "
        "DROP COLUMN first_event"
    )


_COLUMNS_AWAY = """
ALTER TABLE dead_letters
    DROP COLUMN origin, DROP COLUMN event, DROP COLUMN state, DROP COLUMN resolution, DROP COLUMN failure_type,
    DROP COLUMN category, DROP COLUMN stack, DROP COLUMN service, DROP COLUMN operation, DROP COLUMN correlation_id,
    DROP COLUMN trace_id, DROP COLUMN fingerprint, DROP COLUMN criticality, DROP COLUMN alerted_at,
    DROP COLUMN replays, DROP COLUMN replay_count, DROP COLUMN first_failed_at, DROP COLUMN last_failed_at,
    DROP COLUMN next_replay_at, DROP COLUMN ended_at, DROP COLUMN job_id, DROP COLUMN parent_id,
    DROP COLUMN replaced_by
"""

_STORAGE_AGAIN = """
ALTER TABLE dead_letters
    RESET (toast_tuple_target),
    ALTER COLUMN provider     SET STORAGE EXTENDED, ALTER COLUMN event_id       SET STORAGE EXTENDED,
    ALTER COLUMN ordering_key SET STORAGE EXTENDED, ALTER COLUMN topic          SET STORAGE EXTENDED,
    ALTER COLUMN key          SET STORAGE EXTENDED, ALTER COLUMN payload_sha256 SET STORAGE EXTENDED,
    ALTER COLUMN reason       SET STORAGE EXTENDED, ALTER COLUMN message        SET STORAGE EXTENDED
"""
