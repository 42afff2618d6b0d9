-- The key of a row that was put back; where one cannot be, none is.
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns} FROM {waiting}
RETURNING {key}
