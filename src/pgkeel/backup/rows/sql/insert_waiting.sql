-- The key of a row that was put back; one that somebody else wrote meanwhile stays as it is.
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns} FROM {waiting}
ON CONFLICT DO NOTHING
RETURNING {key}
