-- Points again at a row that came back, where what was emptied of the reference is empty still, and the rest as it was.
UPDATE {child} AS now SET {assignments} FROM {waiting} AS was
WHERE ROW({now_key}) = ROW({then_key}) AND ROW({emptied}) IS NULL
    AND EXISTS (SELECT FROM {parent} AS parent WHERE ROW({theirs}) = ROW({then}))
