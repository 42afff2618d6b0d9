-- Up Migration
BEGIN;
-- A message whose handler failed waits until retry_at, and the later ones of its key wait behind it.
ALTER TABLE pgkeel.outbox
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN retry_at timestamptz;
CREATE INDEX idx_outbox_retry ON pgkeel.outbox (topic, key, id) WHERE retry_at IS NOT NULL;

CREATE FUNCTION pgkeel.outbox_due(topics text[], most integer DEFAULT 100)
RETURNS TABLE (id bigint, topic text, key text, payload jsonb, created_at timestamptz, attempts integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    SELECT due.id, due.topic, due.key, due.payload, due.created_at, due.attempts
    FROM pgkeel.outbox AS due
    WHERE due.topic = ANY (outbox_due.topics)
        AND (due.retry_at IS NULL OR due.retry_at <= clock_timestamp())
        AND NOT EXISTS (
            SELECT FROM pgkeel.outbox AS earlier
            WHERE due.key <> '' AND earlier.topic = due.topic AND earlier.key = due.key
                AND earlier.id < due.id AND earlier.retry_at > clock_timestamp()
        )
    ORDER BY due.id
    LIMIT outbox_due.most
$function$;
COMMENT ON FUNCTION pgkeel.outbox_due(text[], integer) IS 'the oldest messages of some topics that may be delivered now';

CREATE FUNCTION pgkeel.outbox_done(done bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    WITH gone AS (DELETE FROM pgkeel.outbox WHERE outbox.id = ANY (outbox_done.done) RETURNING 1)
    SELECT count(*) FROM gone
$function$;
COMMENT ON FUNCTION pgkeel.outbox_done(bigint[]) IS 'forgets messages that were delivered';

CREATE FUNCTION pgkeel.outbox_later(message bigint, delay interval) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    UPDATE pgkeel.outbox
    SET attempts = outbox.attempts + 1, retry_at = clock_timestamp() + outbox_later.delay
    WHERE outbox.id = outbox_later.message
    RETURNING outbox.attempts
$function$;
COMMENT ON FUNCTION pgkeel.outbox_later(bigint, interval) IS 'puts a message off whose delivery failed, returns how often it has';

-- Work that must be done once whoever asks how often: the key is kept in the transaction that did it, with its result.
CREATE TABLE pgkeel.once (
    key        bytea       NOT NULL,
    result     jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT once_pkey PRIMARY KEY (key)
);
CREATE INDEX idx_once_created_at ON pgkeel.once (created_at);
COMMENT ON TABLE pgkeel.once IS 'SHA-256 of the idempotency keys that were used, and what came of them';

CREATE FUNCTION pgkeel.once_begin(name text, OUT is_new boolean, OUT result jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    INSERT INTO pgkeel.once AS kept (key) VALUES (sha256(convert_to(name, 'UTF8'))) ON CONFLICT DO NOTHING;
    is_new := FOUND;
    IF NOT is_new THEN
        SELECT kept.result INTO result FROM pgkeel.once AS kept WHERE kept.key = sha256(convert_to(name, 'UTF8'));
    END IF;
END
$function$;
COMMENT ON FUNCTION pgkeel.once_begin(text) IS 'takes an idempotency key, or returns what came of it; waits for one who is at it';

CREATE FUNCTION pgkeel.once_end(name text, outcome jsonb) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    UPDATE pgkeel.once SET result = once_end.outcome WHERE key = sha256(convert_to(once_end.name, 'UTF8')) RETURNING true
$function$;
COMMENT ON FUNCTION pgkeel.once_end(text, jsonb) IS 'keeps what came of an idempotency key';

REVOKE ALL ON FUNCTION pgkeel.outbox_due(text[], integer), pgkeel.outbox_done(bigint[]), pgkeel.outbox_later(bigint, interval),
    pgkeel.once_begin(text), pgkeel.once_end(text, jsonb) FROM PUBLIC;
DO $grants$
BEGIN
    IF to_regrole('pgkeel_rw') IS NOT NULL THEN
        GRANT EXECUTE ON FUNCTION pgkeel.outbox_due(text[], integer), pgkeel.outbox_done(bigint[]),
            pgkeel.outbox_later(bigint, interval), pgkeel.once_begin(text), pgkeel.once_end(text, jsonb) TO pgkeel_rw;
    END IF;
END $grants$;
COMMIT;

-- Down Migration
BEGIN;
DROP FUNCTION pgkeel.once_end(text, jsonb);
DROP FUNCTION pgkeel.once_begin(text);
DROP TABLE pgkeel.once;
DROP FUNCTION pgkeel.outbox_later(bigint, interval);
DROP FUNCTION pgkeel.outbox_done(bigint[]);
DROP FUNCTION pgkeel.outbox_due(text[], integer);
DROP INDEX pgkeel.idx_outbox_retry;
ALTER TABLE pgkeel.outbox
    DROP COLUMN retry_at,
    DROP COLUMN attempts;
COMMIT;
