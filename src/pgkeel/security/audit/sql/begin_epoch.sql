-- utility: begins another life of the log; what was sealed of the lives before stays proved
CREATE OR REPLACE FUNCTION audit.begin_epoch(why text, fresh integer, known bigint DEFAULT NULL) RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $body$
    INSERT INTO audit.epoch (epoch, after_seal, reason, place)
    SELECT fresh, coalesce(known, (SELECT max(seal.number) FROM audit.seal), 0), why, audit.place()
    RETURNING epoch
$body$;
