-- utility: the roles, their attributes and memberships as they were seen last; event triggers do not see them change
CREATE TABLE IF NOT EXISTS audit.role_snapshot (
    name name PRIMARY KEY,
    seen jsonb NOT NULL
);
