-- utility: say for whom commits wait
ALTER SYSTEM SET synchronous_standby_names = {names}
