#!lua
-- SET … IFEQ where the server has none. Returns 1 when it was set.
-- KEYS one; ARGV what must be there, the new value, its life in milliseconds
if text(KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
