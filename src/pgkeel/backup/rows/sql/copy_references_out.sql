-- utility: rows that pointed to a lost row; those whose key lives again are left out.
COPY (
    SELECT {columns} FROM {child} AS old
    WHERE EXISTS (
            SELECT FROM {parent} AS parent WHERE ROW({theirs}) = ROW({mine}) AND ROW({parent_key}) IN (SELECT * FROM {lost})
        )
        AND NOT EXISTS (SELECT FROM {again} AS again WHERE ROW(again.*) = ROW({key}))
) TO STDOUT
