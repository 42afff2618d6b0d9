#!lua flags=allow-oom
-- Begin an epoch when there is none, when the server was started anew, when the database is in another epoch, or on demand: all
-- that was cached before is dead, and nobody fills until every write that was under way is over. Returns the epoch.
-- KEYS the epoch's; ARGV the server's run, how long nobody fills in milliseconds, the new epoch, '1' on demand, what the database
-- says ('server:timeline:number', '' where it was not asked)
local found = text(KEYS[1])
local run, ledger
if is(found, 'E') then run, ledger = string.match(string.sub(found, 31), '^([^|]*)|?(.*)$') end

local function is_newer(said, known)
  if said == '' or said == known then return false end
  local server, timeline, number = string.match(said, '^(.-):(.-):(%d+)$')
  local old_server, old_timeline, old_number = string.match(known, '^(.-):(.-):(%d+)$')
  if server ~= old_server then return true end
  if timeline ~= old_timeline then return timeline > old_timeline end
  return tonumber(number) > tonumber(old_number)
end

local newer = is_newer(ARGV[5], ledger or '')
if run == ARGV[1] and not newer and ARGV[4] ~= '1' then return found end
local epoch = 'E' .. ARGV[3] .. string.format('%013.0f', now() + ARGV[2]) .. ARGV[1] .. '|' .. (newer and ARGV[5] or ledger or '')
redis.call('SET', KEYS[1], epoch)
return epoch
