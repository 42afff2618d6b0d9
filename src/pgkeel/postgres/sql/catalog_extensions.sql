-- one row: an extension of the database, wherever its objects are
SELECT quote_ident(extname) AS name, 'extension' AS definition
FROM pg_extension
ORDER BY name
