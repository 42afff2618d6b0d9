#!lua
-- Before reading the database: ask to be the one who fills. Returns '+' and the versions to fill under; 'E' without an epoch,
-- 'Q' while nobody may fill, 'M' while a write is under way, or what another has put there meanwhile.
-- KEYS the value's, the epoch's, then tags; ARGV who, how long in milliseconds, version of a new tag, the shape of the value, how
-- many of the epoch and the tags a row that exists depends on: a write on the others matters to 'no such row' alone
local epoch = text(KEYS[2])
if not is(epoch, 'E') then return 'E' end
local at = now()
if tonumber(string.sub(epoch, 18, 30)) > at then return 'Q' end
local found = redis.call('MGET', unpack(KEYS))
local versions, strict = string.sub(epoch, 2, 17), tonumber(ARGV[5])
for place = 3, #KEYS do
  local tag = found[place]
  if not is(tag, 'G') then
    tag = 'G' .. ARGV[3]
    redis.call('SET', KEYS[place], tag)
  end
  local version = string.sub(tag, 2, 17)
  if #tag > 17 then
    if living(string.sub(tag, 18), at) == '' then
      redis.call('SET', KEYS[place], string.sub(tag, 1, 17))
    elseif place - 1 <= strict then
      return 'M'
    else
      version = '----------------'
    end
  end
  versions = versions .. version
end
local held, mine = found[1], string.sub(versions, 1, 16 * strict)
if is(held, 'T') and living(string.sub(held, 2), at) ~= '' then return 'M' end
if is(held, 'L') and string.sub(held, 18, 17 + #mine) == mine then return held end
local current = mine .. ARGV[4]
if is(held, 'V') and string.sub(held, 2, #current + 1) == current then return held end
current = versions .. ARGV[4]
if is(held, 'N') and string.sub(held, 2, #current + 1) == current then return held end
redis.call('SET', KEYS[1], 'L' .. ARGV[1] .. versions, 'PX', ARGV[2])
return '+' .. versions
