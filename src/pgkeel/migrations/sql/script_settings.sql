-- utility: what pg_dump sets before its statements
SET LOCAL check_function_bodies = off;
SET LOCAL client_min_messages = warning
