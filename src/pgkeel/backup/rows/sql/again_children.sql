-- Collects the keys of rows that pointed to lost rows and whose key lives.
INSERT INTO {told}
SELECT {old_key} FROM {table} AS old
WHERE EXISTS (
        SELECT FROM {other} AS other
        WHERE ROW({theirs}) = ROW({mine}) AND ROW({other_key}) IN (SELECT {known_key} FROM {known})
    )
    AND EXISTS (SELECT FROM {here} AS here WHERE ROW(here.*) = ROW({old_key}))
    AND NOT EXISTS (SELECT FROM {told} AS told WHERE ROW(told.*) = ROW({old_key}))
