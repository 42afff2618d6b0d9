-- The highest number that comes back of those that a sequence had given, where it would give it or a lower one next.
SELECT waiting.reached
FROM (SELECT max({column}) FILTER (WHERE {column} <= %(issued)s) AS reached FROM {waiting}) AS waiting, {sequence} AS sequence
WHERE waiting.reached > sequence.last_value OR (waiting.reached = sequence.last_value AND NOT sequence.is_called)
ORDER BY 1
