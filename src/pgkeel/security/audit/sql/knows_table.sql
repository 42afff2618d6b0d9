-- one row: whether there is a relation of this name, or the log speaks of one that was
SELECT EXISTS (
    SELECT FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    WHERE namespace.nspname || '.' || relation.relname = %(table)s
) OR EXISTS (SELECT FROM audit.log WHERE table_name = %(table)s) AS knows
ORDER BY 1
