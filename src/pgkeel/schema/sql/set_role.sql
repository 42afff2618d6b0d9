-- utility: act as a role
SET ROLE {role}
