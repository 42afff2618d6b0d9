#!lua flags=allow-oom
-- After COMMIT: take our marks away. Where one is gone, a lease or value that slipped in dies. Returns how many were released.
-- KEYS rows, then tags; ARGV who, how many of the keys are rows, the tags' new version
local rows = tonumber(ARGV[2])
local found, put, gone = redis.call('MGET', unpack(KEYS)), {}, {}
for place = 1, #KEYS do
  local old, head, from = found[place], 'T', 2
  if place > rows then head, from = 'G' .. ARGV[3], 18 end
  local marks = kept(old, head, from, nil, ARGV[1])
  if marks or place > rows then
    put[#put + 1] = KEYS[place]
    put[#put + 1] = head .. (marks or '')
  else
    gone[#gone + 1] = KEYS[place]
  end
end
if #gone > 0 then redis.call('DEL', unpack(gone)) end
if #put > 0 then redis.call('MSET', unpack(put)) end
return #KEYS
