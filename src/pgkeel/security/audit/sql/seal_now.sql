-- utility: seals what finished transactions have written since the last seal, updates taken into the log; returns how many rows
CREATE OR REPLACE FUNCTION audit.seal_now() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    current_epoch integer;
    lower_xid bigint;
    upper_xid bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    last_number bigint;
    last_digest bytea;
    batch record;
    sealed bigint := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'audit.seal_now() needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(7163381, 1);
    SELECT epoch.epoch, epoch.first_xid INTO current_epoch, lower_xid FROM audit.epoch AS epoch ORDER BY epoch.epoch DESC LIMIT 1;
    SELECT seal.number, seal.digest INTO last_number, last_digest FROM audit.seal AS seal ORDER BY seal.number DESC LIMIT 1;
    SELECT coalesce(max(seal.to_xid), lower_xid) INTO lower_xid FROM audit.seal AS seal WHERE seal.epoch = current_epoch;
    last_number := coalesce(last_number, 0);
    last_digest := coalesce(last_digest, '\x'::bytea);
    PERFORM audit.take_in(upper_xid);
    FOR batch IN
        SELECT month.month, found.rows, found.digest
        FROM (SELECT DISTINCT date_trunc('month', log.at AT TIME ZONE 'UTC')::date AS month FROM audit.log AS log
              WHERE log.epoch = current_epoch AND log.xid >= lower_xid AND log.xid < upper_xid) AS month,
             audit.digest_of(current_epoch, lower_xid, upper_xid, month.month) AS found
        ORDER BY month.month
    LOOP
        last_number := last_number + 1;
        INSERT INTO audit.seal (number, epoch, from_xid, to_xid, month, rows, previous, digest)
        VALUES (last_number, current_epoch, lower_xid, upper_xid, batch.month, batch.rows, last_digest,
                audit.chained(last_digest, last_number, current_epoch, lower_xid, upper_xid, batch.month, batch.rows, batch.digest))
        RETURNING digest INTO last_digest;
        sealed := sealed + batch.rows;
    END LOOP;
    RETURN sealed;
END
$body$;
