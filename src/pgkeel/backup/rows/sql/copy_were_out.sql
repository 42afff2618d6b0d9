-- utility: rows as they were.
COPY (SELECT {columns} FROM {table} WHERE ({where})) TO STDOUT
