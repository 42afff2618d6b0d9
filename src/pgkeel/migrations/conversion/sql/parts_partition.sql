-- one row: a partition with its parent, its bounds and the SQL that makes it; `like` is the form that locks its parent less
SELECT relation.tableoid AS class, relation.oid AS id, 0 AS sub,
       format('%%I.%%I', namespace.nspname, relation.relname) AS name,
       concat(format('CREATE TABLE %%I.%%I PARTITION OF %%s %%s', namespace.nspname, relation.relname,
           pg_inherits.inhparent::regclass, pg_get_expr(relation.relpartbound, relation.oid)),
           ' PARTITION BY ' || pg_get_partkeydef(relation.oid)) AS made,
       format('DROP TABLE %%I.%%I', namespace.nspname, relation.relname) AS dropped,
       jsonb_build_object(
           'parent', pg_inherits.inhparent::bigint,
           'is_leaf', relation.relkind = 'r',
           'like', format('CREATE TABLE %%I.%%I (LIKE %%s INCLUDING ALL EXCLUDING IDENTITY)',
               namespace.nspname, relation.relname, pg_inherits.inhparent::regclass),
           'attach', format('ALTER TABLE %%s ATTACH PARTITION %%I.%%I %%s', pg_inherits.inhparent::regclass, namespace.nspname,
               relation.relname, pg_get_expr(relation.relpartbound, relation.oid))) AS facts
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
JOIN pg_inherits ON pg_inherits.inhrelid = relation.oid
WHERE namespace.nspname = ANY (%(schemas)s)
  AND relation.relkind IN ('r', 'p', 'f')
  AND relation.relispartition
ORDER BY name
