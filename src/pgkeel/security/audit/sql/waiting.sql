-- utility: what waits for the next seal, as the record will have it: of a change each column's old and new value apart; a masked one is no
-- pair but a text. The transaction is the row's own, which costs a writer nothing and cannot be forged: the nearest number that ends in
-- its xmin
CREATE OR REPLACE VIEW audit.waiting AS
SELECT image.at, image.xid, image.epoch, image.actor, image.db_role, image.table_name, image.row_id, 'update'::text AS operation,
       image.before, image.after
FROM (
    SELECT pair.*,
           coalesce(pair.longs[1], '{}') || coalesce(pair.ints[1], '{}') || coalesce(pair.times[1], '{}') || coalesce(pair.bools[1], '{}')
           || coalesce(pair.uuids[1], '{}') || coalesce(pair.texts[1], '{}') || coalesce(pair.others[1], '{}') AS before,
           coalesce(pair.longs[2], '{}') || coalesce(pair.ints[2], '{}') || coalesce(pair.times[2], '{}') || coalesce(pair.bools[2], '{}')
           || coalesce(pair.uuids[2], '{}') || coalesce(pair.texts[2], '{}') || coalesce(pair.others[2], '{}') AS after
    FROM (
        SELECT change.at, top.xid - ((top.xid - change.xid) & 4294967295) AS xid, (SELECT max(epoch.epoch) FROM audit.epoch) AS epoch,
               nullif(change.actor, '') AS actor, change.db_role, form.table_name,
               coalesce(change.row_id, change.longs[form.long_key]::text, change.ints[form.int_key]::text,
                        change.uuids[form.uuid_key]::text) AS row_id,
               CASE WHEN audit.differ(form.longs, change.longs) THEN
                   (SELECT ARRAY[jsonb_object_agg(name, old), jsonb_object_agg(name, new)] FROM audit.changed(form.longs, change.longs))
               END AS longs,
               CASE WHEN audit.differ(form.ints, change.ints) THEN
                   (SELECT ARRAY[jsonb_object_agg(name, old), jsonb_object_agg(name, new)] FROM audit.changed(form.ints, change.ints))
               END AS ints,
               CASE WHEN audit.differ(form.times, change.times) THEN
                   (SELECT ARRAY[jsonb_object_agg(name, old), jsonb_object_agg(name, new)] FROM audit.changed(form.times, change.times))
               END AS times,
               CASE WHEN audit.differ(form.bools, change.bools) THEN
                   (SELECT ARRAY[jsonb_object_agg(name, old), jsonb_object_agg(name, new)] FROM audit.changed(form.bools, change.bools))
               END AS bools,
               CASE WHEN audit.differ(form.uuids, change.uuids) THEN
                   (SELECT ARRAY[jsonb_object_agg(name, old), jsonb_object_agg(name, new)] FROM audit.changed(form.uuids, change.uuids))
               END AS uuids,
               CASE WHEN audit.differ(form.texts, change.texts) THEN
                   (SELECT ARRAY[jsonb_object_agg(name, old), jsonb_object_agg(name, new)] FROM audit.changed(form.texts, change.texts))
               END AS texts,
               CASE WHEN change.others IS NOT NULL THEN
                   (SELECT ARRAY[jsonb_object_agg(name, change.others -> name -> 0) FILTER (WHERE change.others -> name -> 1 IS NOT NULL),
                                 jsonb_object_agg(name, coalesce(change.others -> name -> 1, change.others -> name))]
                    FROM jsonb_object_keys(change.others) AS name)
               END AS others
        FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top,
             (SELECT updated.xmin::text::bigint AS xid, (updated.change).* FROM audit.updated OFFSET 0) AS change
             JOIN audit.form ON form.form = change.form
        OFFSET 0
    ) AS pair
    OFFSET 0
) AS image
WHERE image.after <> '{}'
UNION ALL
SELECT written.at, top.xid - ((top.xid - written.xmin::text::bigint) & 4294967295), (SELECT max(epoch.epoch) FROM audit.epoch),
       written.actor, written.db_role, written.table_name, written.row_id, written.operation, written.before, written.after
FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top, audit.written;
