-- A statement that puts one row back.
SELECT {start} || 'OVERRIDING SYSTEM VALUE VALUES (' || concat_ws(', ', {values}) || ') ON CONFLICT DO NOTHING;' AS statement
FROM {waiting} AS waiting
ORDER BY 1
