#!lua
-- Take a lock that nobody holds. Returns a token that grows with every holder, or 0. It follows the clock, so that it grows
-- after a flush too.
-- KEYS the lock's and the last token's; ARGV who, how long in milliseconds
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
local token = math.max((tonumber(text(KEYS[2]) or '0') or 0) + 1, now())
redis.call('SET', KEYS[2], string.format('%.0f', token))
return token
