-- utility: takes into the record what transactions below a number have changed and written, in the order of time, and returns each month's
-- digest as digest_of does; one statement, so that all of it sees the same rows
CREATE OR REPLACE FUNCTION audit.take_in(upper_xid bigint) RETURNS TABLE (month date, rows bigint, digest bytea)
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $body$
    WITH top AS MATERIALIZED (
        SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid
    ), updated AS (
        DELETE FROM audit.updated AS updated USING top WHERE top.xid - ((top.xid - updated.xmin::text::bigint) & 4294967295) < upper_xid
    ), written AS (
        DELETE FROM audit.written AS written USING top
        WHERE top.xid - ((top.xid - written.xmin::text::bigint) & 4294967295) < upper_xid
    ), taken AS (
        INSERT INTO audit.record (seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after)
        SELECT nextval('audit.record_seq'), at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after
        FROM (SELECT * FROM audit.waiting AS waiting WHERE waiting.xid < upper_xid ORDER BY waiting.at) AS waiting
        RETURNING *
    )
    SELECT hashed.month, count(*), sha256(string_agg(hashed.digest, ''::bytea ORDER BY hashed.seq))
    FROM (SELECT date_trunc('month', log.at AT TIME ZONE 'UTC')::date AS month, log.seq, sha256(convert_to(json_build_array(
              log.seq, extract(epoch FROM log.at), log.xid, log.epoch, log.actor, log.db_role, log.table_name, log.row_id,
              log.operation, log.before, log.after)::text, 'UTF8')) AS digest
          FROM taken AS log OFFSET 0) AS hashed -- so that digests are sorted, not rows
    GROUP BY hashed.month
$body$;
