-- Leaves the keys of rows that were deleted.
DELETE FROM {told} AS told WHERE NOT EXISTS (SELECT FROM {again} AS again WHERE ROW(again.*) = ROW(told.*))
