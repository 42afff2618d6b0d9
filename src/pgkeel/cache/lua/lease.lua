#!lua
-- Before reading the database: ask to be the one who fills. Returns '+' and the versions to fill under; 'E' without an epoch,
-- 'Q' while nobody may fill, 'M' while a write is under way, or what another has put there meanwhile.
-- KEYS the value's, the epoch's, then tags; ARGV who, how long in milliseconds, version of a new tag, the shape of the value, how
-- many of the epoch and the tags a row that exists depends on: a write on the others matters to 'no such row' alone, and how long a
-- mark lasts, in milliseconds from when a reader first meets it
local epoch = text(KEYS[2])
if not is(epoch, 'E') then return 'E' end
local at = now()
if tonumber(string.sub(epoch, 18, 30)) > at then return 'Q' end

-- whether a write is under way under a tag, and whether one on this row; a mark is '-' or its deadline (13), then rows (16 each)
local function writes_on(tag)
  local name, row = tag .. '!', string.sub(KEYS[1], -16)
  local marks = redis.pcall('HGETALL', name)
  if marks.err then return true, true end
  local is_any, is_mine = false, false
  for place = 1, #marks, 2 do
    local who, mark, from = marks[place], marks[place + 1], 14
    if is(mark, '-') then
      redis.call('HSET', name, who, string.format('%013.0f', at + ARGV[6]) .. string.sub(mark, 2))
      from = 2
    elseif not ((tonumber(string.sub(mark, 1, 13)) or 0) > at) then
      redis.call('HDEL', name, who)
      from = nil
    end
    if from then
      is_any = true
      is_mine = is_mine or string.find(mark, row, from, true) ~= nil
    end
  end
  return is_any, is_mine
end

local found = redis.call('MGET', unpack(KEYS))
local versions, strict = string.sub(epoch, 2, 17), tonumber(ARGV[5])
for place = 3, #KEYS do
  local tag = found[place]
  if not is(tag, 'G') then
    tag = 'G' .. ARGV[3]
    redis.call('SET', KEYS[place], tag)
  end
  local version = string.sub(tag, 2, 17)
  local is_any, is_mine = writes_on(KEYS[place])
  if is_mine or (is_any and place - 1 <= strict) then return 'M' end
  if is_any then version = '----------------' end
  versions = versions .. version
end
local held, mine = found[1], string.sub(versions, 1, 16 * strict)
if is(held, 'L') and string.sub(held, 18, 17 + #mine) == mine then return held end
local current = mine .. ARGV[4]
if is(held, 'V') and string.sub(held, 2, #current + 1) == current then return held end
current = versions .. ARGV[4]
if is(held, 'N') and string.sub(held, 2, #current + 1) == current then return held end
redis.call('SET', KEYS[1], 'L' .. ARGV[1] .. versions, 'PX', ARGV[2])
return '+' .. versions
