ALTER TABLE users ADD CONSTRAINT users_age_possible CHECK (age >= 0);
