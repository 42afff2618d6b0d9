-- one row: who this session acts as
SELECT current_user::text AS role
ORDER BY 1
