-- Points again at a row that came back, where the reference is still empty.
UPDATE {child} AS now SET {assignments} FROM {waiting} AS was
WHERE ROW({now_key}) = ROW({then_key}) AND ROW({mine}) IS NULL
    AND EXISTS (SELECT FROM {parent} AS parent WHERE ROW({theirs}) = ROW({then}))
