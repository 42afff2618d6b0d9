-- utility: what was sealed, in months; append-only, for no role may write it but a seal. Older versions called it audit.log and wrote to it
-- at once: what no seal counts yet waits for one like the rest
DO $body$
DECLARE
    older regclass;
    newest bigint;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = to_regclass('audit.log')) IS DISTINCT FROM 'p' THEN
        RETURN;
    END IF;
    LOCK TABLE audit.log IN ACCESS EXCLUSIVE MODE;
    DROP VIEW IF EXISTS audit.entries, audit.waiting;
    ALTER TABLE audit.log RENAME TO record;
    ALTER TABLE audit.record ALTER COLUMN seq DROP DEFAULT, ALTER COLUMN at DROP DEFAULT, ALTER COLUMN xid DROP DEFAULT,
        ALTER COLUMN epoch DROP DEFAULT, ALTER COLUMN db_role DROP DEFAULT;
    DROP FUNCTION IF EXISTS audit.take_in(bigint), audit.form_of(regclass, text, text[]);
    WITH moved AS (
        DELETE FROM audit.record AS record
        USING (SELECT epoch.epoch, coalesce(max(seal.to_xid), 0) AS first_xid
               FROM audit.epoch LEFT JOIN audit.seal USING (epoch) GROUP BY epoch.epoch) AS unsealed
        WHERE record.epoch = unsealed.epoch AND record.xid >= unsealed.first_xid
        RETURNING record.*
    )
    INSERT INTO audit.written (at, actor, db_role, table_name, row_id, operation, before, after)
    SELECT at, actor, db_role, table_name, row_id, operation, before, after FROM moved ORDER BY seq;
    DROP INDEX IF EXISTS audit.idx_log_row, audit.idx_log_place, audit.idx_log_find;
    SELECT max(seq) INTO newest FROM audit.record;
    FOREACH older IN ARRAY ARRAY[to_regclass('audit.log_seq'), to_regclass('audit.fresh_seq_seq'), to_regclass('audit.noted_seq_seq')] LOOP
        IF older IS NOT NULL THEN
            newest := greatest(newest, nextval(older));
        END IF;
    END LOOP;
    PERFORM setval('audit.record_seq', newest);
    DROP SEQUENCE IF EXISTS audit.log_seq CASCADE; -- the default of months that have left the log
END
$body$;
CREATE TABLE IF NOT EXISTS audit.record (
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    xid bigint NOT NULL,
    epoch integer NOT NULL,
    actor text,
    db_role name NOT NULL,
    table_name text NOT NULL,
    row_id text,
    operation text NOT NULL,
    before jsonb,
    after jsonb
) PARTITION BY RANGE (at);
