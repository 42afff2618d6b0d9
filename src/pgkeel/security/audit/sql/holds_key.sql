-- one row: whether a part of the log holds a value that a key sealed
SELECT EXISTS (
    SELECT FROM {partition} AS entry WHERE strpos(concat(entry.before::text, entry.after::text), %(mark)s) > 0
) AS found
ORDER BY 1
