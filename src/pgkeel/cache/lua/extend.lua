#!lua
-- Hold a lock for longer. Returns 1, or 0 when it was lost.
-- KEYS one; ARGV who, how long in milliseconds
if text(KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
