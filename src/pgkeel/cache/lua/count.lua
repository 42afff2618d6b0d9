#!lua
-- Add to a counter, which ends a while after its first count. Returns its value.
-- KEYS one; ARGV how much, how long in milliseconds
local value = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return value
