-- Collects the keys of rows that the live table lacks.
INSERT INTO {lost}
SELECT {old_key} FROM {table} AS old
WHERE ({where}) AND NOT EXISTS (SELECT FROM {here} AS here WHERE ROW(here.*) = ROW({old_key}))
