-- A row that points to a known one.
SELECT 1 AS one FROM {table} AS old
WHERE EXISTS (
        SELECT FROM {other} AS other
        WHERE ROW({theirs}) = ROW({mine}) AND ROW({other_key}) IN (SELECT {known_key} FROM {known})
    )
ORDER BY one LIMIT 1
