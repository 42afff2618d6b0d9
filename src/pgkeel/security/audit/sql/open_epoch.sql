-- utility: begins another life of the log, after a recovery, with a number above one that was taken; what was noted before is of the old one
CREATE OR REPLACE FUNCTION audit.open_epoch(why text, above integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    fresh integer;
    known bigint; -- what is sealed now of the old epoch may have the numbers of seals that were lost
BEGIN
    PERFORM pg_advisory_xact_lock(7163381, 1);
    LOCK TABLE audit.updated, audit.written IN SHARE ROW EXCLUSIVE MODE;
    SELECT coalesce(max(seal.number), 0) INTO known FROM audit.seal AS seal;
    PERFORM audit.seal_below(pg_snapshot_xmax(pg_current_snapshot())::text::bigint); -- nobody writes now: all of it is final
    SELECT greatest(max(epoch.epoch), above) + 1 INTO fresh FROM audit.epoch AS epoch;
    RETURN audit.begin_epoch(why, fresh, known);
END
$body$;
