#!lua flags=allow-oom
-- Before COMMIT: say on every row and tag that a write is under way. Returns how many were marked.
-- KEYS rows, then tags; ARGV who, how long in milliseconds, how many of the keys are rows, the tags' new version
local at = now()
local mark = ARGV[1] .. string.format('%013.0f', at + ARGV[2])
local rows = tonumber(ARGV[3])
local found, put = redis.call('MGET', unpack(KEYS)), {}
for place = 1, #KEYS do
  local old, head, from = found[place], 'T', 2
  if place > rows then head, from = 'G' .. ARGV[4], 18 end
  put[2 * place - 1] = KEYS[place]
  put[2 * place] = head .. (kept(old, head, from, at) or '') .. mark
end
redis.call('MSET', unpack(put))
return #KEYS
