-- A waiting row, taken out, that did not come back: an index on an expression or on some rows, or an exclusion, kept it out.
DELETE FROM {waiting} AS waiting
WHERE NOT EXISTS (SELECT FROM {table} AS now WHERE ROW({theirs}) = ROW({mine}))
RETURNING {key}
