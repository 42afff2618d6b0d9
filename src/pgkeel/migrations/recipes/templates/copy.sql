UPDATE {table} SET {new} = {value} WHERE {key} > :lo AND {key} <= :hi AND {new} IS NULL AND {old} IS NOT NULL;
