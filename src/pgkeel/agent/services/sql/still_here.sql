-- one row: proof that the session lives
SELECT true AS is_here
ORDER BY 1
