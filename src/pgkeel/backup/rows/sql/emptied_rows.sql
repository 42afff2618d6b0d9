-- Collects the keys that live and whose row of then went with all of its table or partition.
INSERT INTO {again}
SELECT {old_key} FROM {table} AS old
WHERE old.tableoid = ANY(%(relations)s::oid[]) AND EXISTS (SELECT FROM {here} AS here WHERE ROW(here.*) = ROW({old_key}))
