-- one row deleted per copy of a changed row
DELETE FROM {target} AS copy
USING {changes} AS change
WHERE change.number = ANY (%(numbers)s)
  AND ({copy_key}) = ({change_key})
