-- utility: what waits for the next seal, as the record will have it: of a note each changed column's old and new value apart; a masked one is
-- no pair but a text.
-- the transaction is the row's own, which costs a writer nothing and cannot be forged: the nearest number that ends in its xmin
CREATE OR REPLACE VIEW audit.waiting AS
SELECT note.at, top.xid - ((top.xid - note.xid) & 4294967295) AS xid, (SELECT max(epoch.epoch) FROM audit.epoch) AS epoch,
       nullif(note.actor, '') AS actor, note.db_role, form.table_name,
       coalesce(note.row_id, note.longs[form.long_key]::text, note.ints[form.int_key]::text, note.uuids[form.uuid_key]::text) AS row_id, 'update'::text AS operation,
       coalesce(image.before, '{}') AS before, image.after
FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top,
     (SELECT noted.xmin::text::bigint AS xid, (noted.note).* FROM audit.noted OFFSET 0) AS note
     JOIN audit.form ON form.form = note.form,
     LATERAL (
         SELECT jsonb_object_agg(pair.name, pair.old) FILTER (WHERE pair.old IS NOT NULL) AS before,
                jsonb_object_agg(pair.name, pair.new) AS after
         FROM (
             SELECT name, coalesce(to_jsonb(old), 'null') AS old, coalesce(to_jsonb(new), 'null') AS new
             FROM (SELECT unnest(form.longs) AS name, unnest(note.longs[:cardinality(form.longs)]) AS old,
                          unnest(note.longs[cardinality(form.longs) + 1:]) AS new
                   WHERE note.longs[:cardinality(form.longs)] IS DISTINCT FROM note.longs[cardinality(form.longs) + 1:]) AS value
             WHERE old IS DISTINCT FROM new
             UNION ALL
             SELECT name, coalesce(to_jsonb(old), 'null'), coalesce(to_jsonb(new), 'null')
             FROM (SELECT unnest(form.ints) AS name, unnest(note.ints[:cardinality(form.ints)]) AS old,
                          unnest(note.ints[cardinality(form.ints) + 1:]) AS new
                   WHERE note.ints[:cardinality(form.ints)] IS DISTINCT FROM note.ints[cardinality(form.ints) + 1:]) AS value
             WHERE old IS DISTINCT FROM new
             UNION ALL
             SELECT name, coalesce(to_jsonb(old), 'null'), coalesce(to_jsonb(new), 'null')
             FROM (SELECT unnest(form.times) AS name, unnest(note.times[:cardinality(form.times)]) AS old,
                          unnest(note.times[cardinality(form.times) + 1:]) AS new
                   WHERE note.times[:cardinality(form.times)] IS DISTINCT FROM note.times[cardinality(form.times) + 1:]) AS value
             WHERE old IS DISTINCT FROM new
             UNION ALL
             SELECT name, coalesce(to_jsonb(old), 'null'), coalesce(to_jsonb(new), 'null')
             FROM (SELECT unnest(form.bools) AS name, unnest(note.bools[:cardinality(form.bools)]) AS old,
                          unnest(note.bools[cardinality(form.bools) + 1:]) AS new
                   WHERE note.bools[:cardinality(form.bools)] IS DISTINCT FROM note.bools[cardinality(form.bools) + 1:]) AS value
             WHERE old IS DISTINCT FROM new
             UNION ALL
             SELECT name, coalesce(to_jsonb(old), 'null'), coalesce(to_jsonb(new), 'null')
             FROM (SELECT unnest(form.uuids) AS name, unnest(note.uuids[:cardinality(form.uuids)]) AS old,
                          unnest(note.uuids[cardinality(form.uuids) + 1:]) AS new
                   WHERE note.uuids[:cardinality(form.uuids)] IS DISTINCT FROM note.uuids[cardinality(form.uuids) + 1:]) AS value
             WHERE old IS DISTINCT FROM new
             UNION ALL
             SELECT name, CASE WHEN note.changes -> name -> 1 IS NOT NULL THEN note.changes -> name -> 0 END,
                    coalesce(note.changes -> name -> 1, note.changes -> name)
             FROM (SELECT jsonb_object_keys(note.changes) AS name WHERE note.changes IS NOT NULL OFFSET 0) AS other
         ) AS pair
     ) AS image
WHERE image.after IS NOT NULL
UNION ALL
SELECT written.at, top.xid - ((top.xid - written.xmin::text::bigint) & 4294967295), (SELECT max(epoch.epoch) FROM audit.epoch),
       written.actor, written.db_role, written.table_name, written.row_id, written.operation, written.before, written.after
FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top, audit.written;
