UPDATE users SET plan = 'free';
DELETE FROM sessions;
