#!lua flags=allow-oom
-- Begin an epoch when there is none, when the server was started anew, or on demand: all that was cached before is dead, and
-- nobody fills until every write that was under way is over. Returns the epoch.
-- KEYS the epoch's; ARGV the server's run, how long nobody fills in milliseconds, the new epoch, '1' on demand
local found = text(KEYS[1])
if is(found, 'E') and string.sub(found, 31) == ARGV[1] and ARGV[4] ~= '1' then return found end
local epoch = 'E' .. ARGV[3] .. string.format('%013.0f', now() + tonumber(ARGV[2])) .. ARGV[1]
redis.call('SET', KEYS[1], epoch)
return epoch
