-- utility: rows that pointed to a lost row.
COPY (
    SELECT {columns} FROM {child} AS old
    WHERE EXISTS (
        SELECT FROM {parent} AS parent WHERE ROW({theirs}) = ROW({mine}) AND ROW({parent_key}) IN (SELECT * FROM {lost})
    )
) TO STDOUT
