#!lua
-- Count one attempt (generic cell rate algorithm). Returns 0, or how long to wait in microseconds and counts none.
-- KEYS one; ARGV how long until one attempt comes back, and until all have, in microseconds
local time = redis.call('TIME')
local at, step = time[1] * 1000000 + time[2], tonumber(ARGV[1])
local due = math.max(tonumber(text(KEYS[1]) or '0') or 0, at) + step
local early = due - at - tonumber(ARGV[2])
if early > 0 then return early end
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - at) / 1000))
return 0
