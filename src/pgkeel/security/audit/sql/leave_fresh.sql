-- utility: keeps what the functions of an older version noted, and lets their table go, once nobody can call them any more
DO $body$
BEGIN
    IF to_regclass('audit.fresh') IS NULL THEN
        RETURN;
    END IF;
    LOCK TABLE audit.fresh IN ACCESS EXCLUSIVE MODE;
    INSERT INTO audit.written (at, actor, db_role, table_name, row_id, operation, before, after)
    SELECT fresh.at, nullif(fresh.actor, ''), fresh.db_role, fresh.table_name, fresh.row_id,
           'update', coalesce(image.before, '{}'), image.after
    FROM (SELECT * FROM audit.fresh ORDER BY seq) AS fresh,
         LATERAL (SELECT jsonb_object_agg(key, fresh.changes -> key -> 0) FILTER (WHERE fresh.changes -> key -> 1 IS NOT NULL) AS before,
                         jsonb_object_agg(key, coalesce(fresh.changes -> key -> 1, fresh.changes -> key)) AS after
                  FROM (SELECT jsonb_object_keys(fresh.changes) AS key OFFSET 0) AS changed) AS image;
    DROP TABLE audit.fresh CASCADE; -- the default of months that have left the log
END
$body$;
