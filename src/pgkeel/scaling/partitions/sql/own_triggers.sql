-- one row per trigger of the default partition that fires: statements that silence it and wake it again as it was
SELECT format('ALTER TABLE %%s DISABLE TRIGGER %%I', tgrelid::regclass, tgname) AS silence,
       format('ALTER TABLE %%s ENABLE %%s TRIGGER %%I', tgrelid::regclass,
              CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, tgname) AS wake
FROM pg_trigger
WHERE tgrelid = %(default)s::regclass AND NOT tgisinternal AND tgenabled <> 'D'
ORDER BY tgname
