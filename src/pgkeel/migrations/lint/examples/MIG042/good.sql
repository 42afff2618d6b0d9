UPDATE users SET plan = 'free' WHERE plan IS NULL AND id > 0 AND id <= 1000;
