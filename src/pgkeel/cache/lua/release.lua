#!lua flags=allow-oom
-- After COMMIT: take our marks away. Where one is gone, a lease or value that slipped in dies. Returns how many were released.
-- KEYS rows, then tags; ARGV who, how many of the keys are rows, the tags' new version
local at = now()
for place, key in ipairs(KEYS) do
  local found = text(key)
  if place <= tonumber(ARGV[2]) then
    local marks = is(found, 'T') and living(string.sub(found, 2), at, ARGV[1]) or ''
    if marks == '' then redis.call('DEL', key) else redis.call('SET', key, 'T' .. marks) end
  else
    local marks = is(found, 'G') and living(string.sub(found, 18), at, ARGV[1]) or ''
    redis.call('SET', key, 'G' .. ARGV[3] .. marks)
  end
end
return #KEYS
