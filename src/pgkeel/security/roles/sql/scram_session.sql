-- utility: passwords that this session sets are hashed by SCRAM, whatever the server would ask libpq for
SET password_encryption = 'scram-sha-256'
