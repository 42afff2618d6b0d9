UPDATE {table} AS child SET {nulls}
WHERE child.{key} > :lo AND child.{key} <= :hi AND {given}
  AND NOT EXISTS (SELECT FROM {parent} AS parent WHERE {same});
