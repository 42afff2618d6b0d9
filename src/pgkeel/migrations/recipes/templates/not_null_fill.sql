UPDATE {table} SET {column} = {value} WHERE {key} > :lo AND {key} <= :hi AND {column} IS NULL;
