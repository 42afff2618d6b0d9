-- one row: whether roles have been looked at before
SELECT EXISTS (SELECT FROM audit.role_snapshot) AS knows;
