-- Collects the keys of rows that were deleted and whose key lives.
INSERT INTO {told}
SELECT {old_key} FROM {table} AS old
WHERE ({where}) AND EXISTS (SELECT FROM {again} AS again WHERE ROW(again.*) = ROW({old_key}))
