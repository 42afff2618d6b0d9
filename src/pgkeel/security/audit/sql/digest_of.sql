-- utility: the digest of one batch: of each row's own, in the order of seq; json_build_array writes what jsonb_build_array does, faster
CREATE OR REPLACE FUNCTION audit.digest_of(given_epoch integer, lower_xid bigint, upper_xid bigint, given_month date)
RETURNS TABLE (rows bigint, digest bytea)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT count(*), sha256(coalesce(string_agg(sha256(convert_to(json_build_array(
        log.seq, extract(epoch FROM log.at), log.xid, log.epoch, log.actor, log.db_role, log.table_name, log.row_id,
        log.operation, log.before, log.after)::text, 'UTF8')), ''::bytea ORDER BY log.seq), ''::bytea))
    FROM audit.record AS log
    WHERE log.epoch = given_epoch AND log.xid >= lower_xid AND log.xid < upper_xid
      AND log.at >= (given_month::timestamp AT TIME ZONE 'UTC')
      AND log.at < ((given_month + interval '1 month')::timestamp AT TIME ZONE 'UTC')
$body$;
