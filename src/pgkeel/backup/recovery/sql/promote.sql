-- Whether the server became a primary within five minutes.
SELECT pg_promote(true, 300) AS done;
