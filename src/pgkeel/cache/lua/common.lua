-- What every script begins with. A mark is 29 letters: who (16) and until when, in milliseconds of the server's clock (13).
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(key)
  local found = redis.pcall('GET', key)
  return type(found) == 'string' and found or nil
end

local function living(marks, at)
  local kept = {}
  for start = 1, #marks, 29 do
    local mark = string.sub(marks, start, start + 28)
    local deadline = tonumber(string.sub(mark, 17))
    if deadline and deadline > at then kept[#kept + 1] = mark end
  end
  return table.concat(kept)
end

local function is(found, kind)
  return found and string.sub(found, 1, 1) == kind
end

