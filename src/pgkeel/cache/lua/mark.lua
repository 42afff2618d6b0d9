#!lua flags=allow-oom
-- Before COMMIT: say on every row and tag that a write is under way. Returns how many were marked.
-- KEYS rows, then tags; ARGV who, how long in milliseconds, how many of the keys are rows, the tags' new version
local at = now()
local mark = ARGV[1] .. string.format('%013.0f', at + tonumber(ARGV[2]))
for place, key in ipairs(KEYS) do
  local found = text(key)
  if place <= tonumber(ARGV[3]) then
    local marks = is(found, 'T') and living(string.sub(found, 2), at) or ''
    redis.call('SET', key, 'T' .. marks .. mark)
  else
    local marks = is(found, 'G') and living(string.sub(found, 18), at) or ''
    redis.call('SET', key, 'G' .. ARGV[4] .. marks .. mark)
  end
end
return #KEYS
