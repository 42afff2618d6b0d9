-- forgets a role that is gone
DELETE FROM audit.role_snapshot WHERE name = %(name)s;
