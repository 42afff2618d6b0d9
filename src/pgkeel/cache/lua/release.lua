#!lua flags=allow-oom
-- After COMMIT: take marks away. Where one is gone, a lease or value that slipped in dies. Returns how many were released.
-- KEYS rows, then tags; ARGV how many of the keys are rows, the tags' new version, 0, then for each key who wrote it, one or more
-- behind each other
local found, put, gone, rows = redis.call('MGET', unpack(KEYS)), {}, {}, tonumber(ARGV[1])
for place = 1, #KEYS do
  local head, from = 'T', 2
  if place > rows then head, from = 'G' .. ARGV[2], 18 end
  local marks = kept(found[place], head, from, nil, ARGV[place + 3])
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
