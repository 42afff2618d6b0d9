-- utility: audit.fresh as audit.log has it: of each changed column the old and the new value apart; a masked one is no pair but a text.
-- the transaction is the row's own, which costs a writer nothing and cannot be forged: the nearest number that ends in its xmin
CREATE OR REPLACE VIEW audit.waiting AS
SELECT fresh.seq, fresh.at, top.xid - ((top.xid - fresh.xmin::text::bigint) & 4294967295) AS xid,
       (SELECT max(epoch.epoch) FROM audit.epoch) AS epoch,
       nullif(fresh.actor, '') AS actor, fresh.db_role, fresh.table_name, fresh.row_id, 'update'::text AS operation,
       coalesce(image.before, '{}') AS before, image.after
FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top,
     audit.fresh,
     LATERAL (SELECT jsonb_object_agg(pair.key, pair.value -> 0) FILTER (WHERE jsonb_typeof(pair.value) = 'array') AS before,
                     jsonb_object_agg(pair.key, CASE jsonb_typeof(pair.value) WHEN 'array' THEN pair.value -> 1 ELSE pair.value END) AS after
              FROM jsonb_each(fresh.changes) AS pair) AS image;
