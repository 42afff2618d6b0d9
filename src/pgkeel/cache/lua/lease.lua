#!lua
-- Before reading the database: ask to be the one who fills. Returns '+' and the versions to fill under; 'E' without an epoch,
-- 'Q' while nobody may fill, 'M' while a write is under way, or what another has put there meanwhile.
-- KEYS the value's, the epoch's, then tags; ARGV who, how long in milliseconds, version of a new tag, the shape of the value
local at = now()
local epoch = text(KEYS[2])
if not is(epoch, 'E') then return 'E' end
if tonumber(string.sub(epoch, 18, 30)) > at then return 'Q' end
local versions = string.sub(epoch, 2, 17)
for place = 3, #KEYS do
  local found = text(KEYS[place])
  if not is(found, 'G') then
    found = 'G' .. ARGV[3]
    redis.call('SET', KEYS[place], found)
  end
  if living(string.sub(found, 18), at) ~= '' then return 'M' end
  versions = versions .. string.sub(found, 2, 17)
  if #found > 17 then redis.call('SET', KEYS[place], string.sub(found, 1, 17)) end
end
local found = text(KEYS[1])
if is(found, 'T') and living(string.sub(found, 2), at) ~= '' then return 'M' end
if is(found, 'L') and string.sub(found, 18) == versions then return found end
local current = versions .. ARGV[4]
if (is(found, 'V') or is(found, 'N')) and string.sub(found, 2, #current + 1) == current then return found end
redis.call('SET', KEYS[1], 'L' .. ARGV[1] .. versions, 'PX', ARGV[2])
return '+' .. versions
