-- A waiting row, taken out, whose parent neither lives nor waits.
DELETE FROM {waiting} AS waiting
WHERE ROW({mine}) IS NOT NULL
    AND NOT EXISTS (SELECT FROM {parent} AS parent WHERE ROW({theirs}) = ROW({mine}))
    AND NOT EXISTS (SELECT FROM {arriving} AS arriving WHERE ROW({arriving_keys}) = ROW({mine}))
RETURNING {key}
