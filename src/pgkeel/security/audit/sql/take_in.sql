-- utility: takes into the log what updates of transactions below a number noted; one statement, so that both halves see the same rows
CREATE OR REPLACE FUNCTION audit.take_in(upper_xid bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $body$
    WITH taken AS (
        DELETE FROM audit.noted AS noted
        USING (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top
        WHERE top.xid - ((top.xid - noted.xmin::text::bigint) & 4294967295) < upper_xid
    )
    INSERT INTO audit.log (seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after)
    SELECT seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after
    FROM audit.waiting AS waiting WHERE waiting.xid < upper_xid
$body$;
