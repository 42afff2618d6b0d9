-- Sets rows that differ back to what they were.
UPDATE {table} AS now SET {assignments} FROM {waiting} AS was
WHERE ROW({now_key}) = ROW({then_key}) AND ROW({now}) IS DISTINCT FROM ROW({then})
