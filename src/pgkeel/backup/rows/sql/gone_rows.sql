-- Collects the keys that live and whose row of then was deleted.
INSERT INTO {again}
SELECT {old_key} FROM {table} AS old
WHERE EXISTS (SELECT FROM {gone} AS gone WHERE gone.relation = old.tableoid AND gone.place = old.ctid)
    AND EXISTS (SELECT FROM {here} AS here WHERE ROW(here.*) = ROW({old_key}))
