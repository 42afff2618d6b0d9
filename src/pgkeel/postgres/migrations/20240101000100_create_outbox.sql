-- Up Migration
BEGIN;
-- What a transaction wants done outside of the database, written in that transaction: it is sent exactly if the change is kept.
CREATE TABLE pgkeel.outbox (
    id         bigint      GENERATED ALWAYS AS IDENTITY,
    topic      text        NOT NULL,
    key        text        NOT NULL DEFAULT '',
    payload    jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT outbox_pkey        PRIMARY KEY (id),
    CONSTRAINT outbox_topic_check CHECK (topic ~ '^[a-z][a-z0-9_.]*$')
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX idx_outbox_topic ON pgkeel.outbox (topic, id);
COMMENT ON TABLE pgkeel.outbox IS 'messages that wait to be drained; filled by pgkeel.outbox_append in the transaction they tell of';

-- The functions act as their owner, so that an application can append and drain without any right on the table.
CREATE FUNCTION pgkeel.outbox_append(topic text, key text DEFAULT '', payload jsonb DEFAULT '{}') RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO pgkeel.outbox (topic, key, payload)
    VALUES (outbox_append.topic, outbox_append.key, outbox_append.payload)
    RETURNING id
$function$;
COMMENT ON FUNCTION pgkeel.outbox_append(text, text, jsonb) IS 'adds a message to the caller''s transaction, returns its id';

-- A drained message is gone when the caller commits and back when it does not: at least once. SKIP LOCKED lets several drain
-- side by side; who needs the order of one key drains its topic alone. MATERIALIZED: as an inner side of a join the choice would
-- be made again and again, each time past what it had locked.
CREATE FUNCTION pgkeel.outbox_drain(topics text[] DEFAULT NULL, most integer DEFAULT 100)
RETURNS TABLE (id bigint, topic text, key text, payload jsonb, created_at timestamptz)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    WITH chosen AS MATERIALIZED (
        SELECT waiting.id
        FROM pgkeel.outbox AS waiting
        WHERE outbox_drain.topics IS NULL OR waiting.topic = ANY (outbox_drain.topics)
        ORDER BY waiting.id
        LIMIT outbox_drain.most
        FOR UPDATE SKIP LOCKED
    ),
    drained AS (
        DELETE FROM pgkeel.outbox AS gone
        USING chosen
        WHERE gone.id = chosen.id
        RETURNING gone.id, gone.topic, gone.key, gone.payload, gone.created_at
    )
    SELECT drained.id, drained.topic, drained.key, drained.payload, drained.created_at
    FROM drained
    ORDER BY drained.id
$function$;
COMMENT ON FUNCTION pgkeel.outbox_drain(text[], integer) IS 'takes the oldest messages of some topics (NULL: of all) in the caller''s transaction';

REVOKE ALL ON FUNCTION pgkeel.outbox_append(text, text, jsonb), pgkeel.outbox_drain(text[], integer) FROM PUBLIC;
DO $grants$
BEGIN
    IF to_regrole('pgkeel_rw') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA pgkeel TO pgkeel_rw;
        GRANT EXECUTE ON FUNCTION pgkeel.outbox_append(text, text, jsonb), pgkeel.outbox_drain(text[], integer) TO pgkeel_rw;
    END IF;
END $grants$;
COMMIT;

-- Down Migration
BEGIN;
DROP FUNCTION pgkeel.outbox_drain(text[], integer);
DROP FUNCTION pgkeel.outbox_append(text, text, jsonb);
DROP TABLE pgkeel.outbox;
COMMIT;
