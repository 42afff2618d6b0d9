-- One login and one address from which it is connected by TCP now.
SELECT DISTINCT host(client_addr) AS address, usename AS login
FROM pg_stat_activity
WHERE client_addr IS NOT NULL
ORDER BY address, login;
