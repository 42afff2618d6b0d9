-- The last number that a sequence had given.
SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS issued FROM {sequence} ORDER BY 1
