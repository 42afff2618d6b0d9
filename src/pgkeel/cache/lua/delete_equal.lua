#!lua flags=allow-oom
-- DELIFEQ where the server has none. Returns 1 when it was deleted.
-- KEYS one; ARGV what must be there
if text(KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
