-- utility: begins another life of the log, after a recovery; what was sealed before stays proved
CREATE OR REPLACE FUNCTION audit.open_epoch(why text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    fresh integer;
BEGIN
    PERFORM pg_advisory_xact_lock(7163381, 1);
    LOCK TABLE audit.log IN SHARE ROW EXCLUSIVE MODE;
    PERFORM audit.seal_now();
    SELECT max(epoch.epoch) + 1 INTO fresh FROM audit.epoch AS epoch;
    INSERT INTO audit.epoch (epoch, first_xid, after_seal, reason)
    SELECT fresh, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, coalesce(max(seal.number), 0), why FROM audit.seal AS seal;
    EXECUTE format('ALTER TABLE audit.log ALTER COLUMN epoch SET DEFAULT %%s', fresh);
    RETURN fresh;
END
$body$;
