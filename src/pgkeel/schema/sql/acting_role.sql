-- one row: the role that this session acts as
SELECT current_user AS role
ORDER BY 1
