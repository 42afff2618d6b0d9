"""Real PostgreSQL and Valkey from wheels."""
