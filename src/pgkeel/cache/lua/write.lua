#!lua flags=allow-oom
-- Before COMMIT, say on rows and tags that writes are under way; after it, take that back: where a mark is gone by then, a lease or
-- value that slipped in dies. Returns how many keys there were.
-- KEYS rows, then tags; ARGV how many of the keys are rows, the tags' new version, how long a mark lasts in milliseconds, then for
-- each key whose marks go, and whose come, each any number behind each other
local found, put, gone, rows, deadline = redis.call('MGET', unpack(KEYS)), {}, {}, tonumber(ARGV[1])

local function without(marks, who)
  for start = 1, #who, 16 do
    local place = string.find(marks, string.sub(who, start, start + 15), 1, true)
    if place and place % 29 == 1 then marks = string.sub(marks, 1, place - 1) .. string.sub(marks, place + 29) end
  end
  return marks
end

local function with(marks, who)
  deadline = deadline or string.format('%013.0f', now() + ARGV[3])
  return marks .. (#who == 16 and who .. deadline or string.gsub(who, '................', '%0' .. deadline))
end

local head, kind, from = 'T', 84, 2
for place = 1, #KEYS do
  if place == rows + 1 then head, kind, from = 'G' .. ARGV[2], 71, 18 end
  local old, leaving, coming, marks = found[place], ARGV[2 * place + 2], ARGV[2 * place + 3], ''
  if old and #old > from and string.byte(old) == kind then
    marks = string.sub(old, from)
    if leaving ~= '' then marks = without(marks, leaving) end
    if #marks > 928 or (marks ~= '' and kind == 84 and coming == '') then marks = living(marks, now()) end  -- 32 of them
  end
  if coming ~= '' then marks = with(marks, coming) end
  if marks == '' and kind == 84 then
    gone[#gone + 1] = KEYS[place]
  else
    put[#put + 1] = KEYS[place]
    put[#put + 1] = head .. marks
  end
end
if #gone > 0 then redis.call('DEL', unpack(gone)) end
if #put > 0 then redis.call('MSET', unpack(put)) end
return #KEYS
