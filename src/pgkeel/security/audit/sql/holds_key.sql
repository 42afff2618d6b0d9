-- one row: whether a part of the log holds a value that a key sealed
SELECT EXISTS (
    SELECT FROM {partition} AS entry WHERE concat(entry.before::text, entry.after::text) ~ %(mark)s
) AS found
ORDER BY 1
