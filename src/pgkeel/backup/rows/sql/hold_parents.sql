-- A row that waiting rows point to, kept from being deleted until the transaction ends.
SELECT 1 AS held FROM {parent} AS parent
WHERE EXISTS (SELECT FROM {waiting} AS waiting WHERE ROW({mine}) = ROW({theirs}))
FOR KEY SHARE OF parent
