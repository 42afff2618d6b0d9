-- one row inserted per row that stays in the default partition
INSERT INTO {default} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns}
FROM {rest}
