-- Collects the keys of rows that point to known rows and that the live table lacks.
INSERT INTO {lost}
SELECT {old_key} FROM {table} AS old
WHERE EXISTS (
        SELECT FROM {other} AS other
        WHERE ROW({theirs}) = ROW({mine}) AND ROW({other_key}) IN (SELECT {known_key} FROM {known})
    )
    AND NOT EXISTS (SELECT FROM {here} AS here WHERE ROW(here.*) = ROW({old_key}))
    AND NOT EXISTS (SELECT FROM {lost} AS lost WHERE ROW(lost.*) = ROW({old_key}))
