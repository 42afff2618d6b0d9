-- utility: audit.fresh as audit.log has it: of each changed column the old and the new value apart; a masked one is no pair but a text.
-- the transaction is the row's own, which costs a writer nothing and cannot be forged: the nearest number that ends in its xmin
CREATE OR REPLACE VIEW audit.waiting AS
SELECT fresh.seq, fresh.at, top.xid - ((top.xid - fresh.xmin::text::bigint) & 4294967295) AS xid,
       (SELECT max(epoch.epoch) FROM audit.epoch) AS epoch,
       nullif(fresh.actor, '') AS actor, fresh.db_role, fresh.table_name, fresh.row_id, 'update'::text AS operation,
       coalesce(image.before, '{}') AS before, image.after
FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top,
     audit.fresh,
     LATERAL (SELECT jsonb_object_agg(key, fresh.changes -> key -> 0) FILTER (WHERE fresh.changes -> key -> 1 IS NOT NULL) AS before,
                     jsonb_object_agg(key, coalesce(fresh.changes -> key -> 1, fresh.changes -> key)) AS after
              FROM (SELECT jsonb_object_keys(fresh.changes) AS key OFFSET 0) AS changed) AS image;
