-- utility: begins another life of the log, after a recovery, with a number above one that was taken; what was sealed before stays proved
CREATE OR REPLACE FUNCTION audit.open_epoch(why text, above integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    fresh integer;
    known bigint; -- what is sealed now of the old epoch may have the numbers of seals that were lost
BEGIN
    PERFORM pg_advisory_xact_lock(7163381, 1);
    LOCK TABLE audit.log, audit.noted IN SHARE ROW EXCLUSIVE MODE;
    SELECT coalesce(max(seal.number), 0) INTO known FROM audit.seal AS seal;
    PERFORM audit.seal_now();
    PERFORM audit.take_in(9223372036854775807); -- nobody writes now: what could not be sealed is of the old epoch, too
    SELECT greatest(max(epoch.epoch), above) + 1 INTO fresh FROM audit.epoch AS epoch;
    INSERT INTO audit.epoch (epoch, first_xid, after_seal, reason)
    VALUES (fresh, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, known, why);
    EXECUTE format('ALTER TABLE audit.log ALTER COLUMN epoch SET DEFAULT %%s', fresh);
    RETURN fresh;
END
$body$;
