-- one row: tells the triggers of this transaction that values stay what they are
SELECT set_config('pgkeel.resealing', 'on', true) AS resealing
ORDER BY 1
