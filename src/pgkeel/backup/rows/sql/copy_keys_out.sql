-- utility: the keys of all rows.
COPY (SELECT {key} FROM {table}) TO STDOUT
