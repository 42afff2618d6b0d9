-- utility: audit.fresh as audit.log has it: of each changed column the old and the new value apart; a masked one is no pair but a text
CREATE OR REPLACE VIEW audit.waiting AS
SELECT fresh.seq, fresh.at, fresh.xid::text::bigint AS xid, (SELECT max(epoch.epoch) FROM audit.epoch) AS epoch,
       nullif(fresh.actor, '') AS actor, fresh.db_role, fresh.table_name, fresh.row_id, 'update'::text AS operation,
       coalesce((SELECT jsonb_object_agg(pair.key, pair.value -> 0) FROM jsonb_each(fresh.changes) AS pair
                 WHERE jsonb_typeof(pair.value) = 'array'), '{}') AS before,
       (SELECT jsonb_object_agg(pair.key, CASE jsonb_typeof(pair.value) WHEN 'array' THEN pair.value -> 1 ELSE pair.value END)
        FROM jsonb_each(fresh.changes) AS pair) AS after
FROM audit.fresh;
