#!lua flags=allow-oom
-- Before COMMIT: say on every row and tag that writes are under way. Returns how many were marked.
-- KEYS rows, then tags; ARGV how many of the keys are rows, the tags' new version, how long in milliseconds, then for each key who
-- writes it, one or more behind each other
local found, put, at, rows = redis.call('MGET', unpack(KEYS)), {}, now(), tonumber(ARGV[1])
local deadline = string.format('%013.0f', at + ARGV[3])
for place = 1, #KEYS do
  local who, old, head, from = ARGV[place + 3], found[place], 'T', 2
  if place > rows then head, from = 'G' .. ARGV[2], 18 end
  local mine = #who == 16 and who .. deadline or string.gsub(who, '................', '%0' .. deadline)
  put[2 * place - 1] = KEYS[place]
  put[2 * place] = head .. (kept(old, head, from, at, '') or '') .. mine
end
redis.call('MSET', unpack(put))
return #KEYS
