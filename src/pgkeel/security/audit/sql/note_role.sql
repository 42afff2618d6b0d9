-- writes down that a role changed, and what it is now
INSERT INTO audit.written (table_name, row_id, operation, before, after)
VALUES ('pg_roles', %(name)s, 'role', %(before)s::jsonb, %(after)s::jsonb);
