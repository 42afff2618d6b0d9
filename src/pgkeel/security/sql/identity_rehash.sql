-- the user whose same password has a stronger hash; the setting lets the trigger know that the sessions may stay
WITH told AS MATERIALIZED (
    SELECT set_config('pgkeel.rehashed', %(hash)s::text, true) AS hash
)
UPDATE users
SET password_hash = told.hash
FROM told
WHERE users.id = %(user)s::uuid AND users.password_hash = %(seen)s::text
RETURNING users.id
