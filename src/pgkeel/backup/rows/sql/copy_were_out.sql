-- utility: rows as they were; those whose key lives again are left out.
COPY (
    SELECT {columns} FROM {table} AS old
    WHERE ({where}) AND NOT EXISTS (SELECT FROM {again} AS again WHERE ROW(again.*) = ROW({key}))
) TO STDOUT
