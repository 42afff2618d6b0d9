-- utility: seals what finished transactions have written since the last seal; returns how many rows
CREATE OR REPLACE FUNCTION audit.seal_now() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    upper_xid bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'audit.seal_now() needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(7163381, 1);
    IF audit.is_moved() THEN
        PERFORM audit.begin_epoch('restored into another database', (SELECT max(epoch.epoch) + 1 FROM audit.epoch AS epoch));
    END IF;
    RETURN audit.seal_below(upper_xid);
END
$body$;
