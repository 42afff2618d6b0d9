-- utility: takes into the record what transactions below a number have written, and seals it, a seal a month; returns how many rows
CREATE OR REPLACE FUNCTION audit.seal_below(upper_xid bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    current_epoch integer;
    lower_xid bigint;
    last_number bigint;
    last_digest bytea;
    batch record;
    sealed bigint := 0;
BEGIN
    SELECT max(epoch.epoch) INTO current_epoch FROM audit.epoch AS epoch;
    SELECT seal.number, seal.digest, CASE seal.epoch WHEN current_epoch THEN seal.to_xid END
    INTO last_number, last_digest, lower_xid FROM audit.seal AS seal ORDER BY seal.number DESC LIMIT 1;
    lower_xid := coalesce(lower_xid, 0);
    last_number := coalesce(last_number, 0);
    last_digest := coalesce(last_digest, '\x'::bytea);
    FOR batch IN SELECT taken.month, taken.rows, taken.digest FROM audit.take_in(upper_xid) AS taken ORDER BY taken.month LOOP
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
