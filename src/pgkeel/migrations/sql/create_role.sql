-- utility: a role that can only be named
CREATE ROLE {role} NOLOGIN
