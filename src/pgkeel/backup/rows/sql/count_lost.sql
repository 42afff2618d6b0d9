-- How many keys were collected.
SELECT count(*) AS rows FROM {lost}
