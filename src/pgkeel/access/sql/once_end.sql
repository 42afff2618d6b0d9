-- one row: true
SELECT pgkeel.once_end(%(key)s, %(outcome)s::text::jsonb) AS is_kept
ORDER BY 1
