-- utility: a role that can only be named, and may do anything
CREATE ROLE {role} NOLOGIN SUPERUSER
