-- one row: an extension
SELECT pg_extension.tableoid AS class, pg_extension.oid AS id, 0 AS sub,
       quote_ident(extname) AS name,
       format('CREATE EXTENSION %%I', extname) AS made,
       format('DROP EXTENSION %%I', extname) AS dropped,
       '{}'::jsonb AS facts
FROM pg_extension
ORDER BY name
