-- one row: an audited table, whether it is still there, as it was, with its triggers enabled
SELECT watched.table_name, watched.masked,
       relation.oid IS NOT NULL AS exists,
       relation.oid IS NOT NULL AND watched.shape = audit.shape_of(relation.oid) AS is_as_it_was,
       (SELECT count(*) FROM pg_trigger AS trigger
        WHERE trigger.tgrelid = relation.oid AND trigger.tgname LIKE 'pgkeel\_audit\_%%' AND trigger.tgenabled = 'A') AS triggers
FROM audit.watched
LEFT JOIN pg_namespace AS namespace ON namespace.nspname = split_part(watched.table_name, '.', 1)
LEFT JOIN pg_class AS relation
    ON relation.relnamespace = namespace.oid AND relation.relname = substr(watched.table_name, length(namespace.nspname) + 2)
ORDER BY watched.table_name;
