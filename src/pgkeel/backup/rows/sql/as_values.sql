-- The values of one row that is put back.
SELECT '(' || concat_ws(', ', {values}) || ')' AS written
FROM {waiting} AS waiting
ORDER BY 1
