-- one row deleted per change that the copies have followed
DELETE FROM {changes}
WHERE number = ANY (%(numbers)s)
