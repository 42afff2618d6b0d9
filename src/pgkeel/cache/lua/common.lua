-- What every script begins with.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(key)
  local found = redis.pcall('GET', key)
  return type(found) == 'string' and found or nil
end

local function is(found, kind)
  return found and string.sub(found, 1, 1) == kind
end

