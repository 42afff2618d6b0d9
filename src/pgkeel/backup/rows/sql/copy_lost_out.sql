-- utility: the lost rows, whole.
COPY (SELECT {columns} FROM {table} AS old WHERE ROW({key}) IN (SELECT * FROM {lost})) TO STDOUT
