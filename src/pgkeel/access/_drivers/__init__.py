"""The only hand-written trio: asyncpg, psycopg async, psycopg sync; one conformance suite for all (`tests/access`)."""
