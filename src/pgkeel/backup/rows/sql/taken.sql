-- A waiting row, taken out, whose place lives.
DELETE FROM {waiting} AS waiting USING {table} AS now WHERE ROW({mine}) = ROW({theirs}) RETURNING {key}
