-- How many rows a table has, and the sum of their hashes.
SELECT count(*) AS rows, COALESCE(sum(hashtextextended(t.*::text, 0)::numeric), 0)::text AS hash FROM {table} AS t
