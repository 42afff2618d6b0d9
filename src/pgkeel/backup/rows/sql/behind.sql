-- The highest number that comes back, where a sequence would give it or a lower one next.
SELECT waiting.reached
FROM (SELECT max({column}) AS reached FROM {waiting}) AS waiting, {sequence} AS sequence
WHERE waiting.reached > sequence.last_value OR (waiting.reached = sequence.last_value AND NOT sequence.is_called)
ORDER BY 1
