-- utility: begins another life of the log; what was sealed of the lives before stays proved
CREATE OR REPLACE FUNCTION audit.begin_epoch(why text, fresh integer, known bigint DEFAULT NULL) RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $body$
    INSERT INTO audit.epoch (epoch, first_xid, after_seal, reason, system)
    SELECT fresh, pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
           coalesce(known, (SELECT max(seal.number) FROM audit.seal), 0), why, system_identifier
    FROM pg_control_system()
    RETURNING epoch
$body$;
