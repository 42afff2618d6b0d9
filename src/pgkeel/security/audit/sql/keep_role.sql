-- remembers a role as it is now
INSERT INTO audit.role_snapshot (name, seen) VALUES (%(name)s, %(after)s::jsonb)
ON CONFLICT (name) DO UPDATE SET seen = EXCLUDED.seen;
