#!lua flags=allow-oom
-- Declare columns of tables, and hear which are declared anywhere. One that nobody declared until now begins: what lies there from
-- when it was declared before dies. Returns the epoch ('' without one), the time, then each column and since when.
-- KEYS the declarations', the epoch's, then for each column what all values of its table share; ARGV how long they last in
-- milliseconds, a new version, the columns
local epoch, at = text(KEYS[2]), now()
local said = redis.pcall('HGETALL', KEYS[1])
if said.err then
  redis.call('DEL', KEYS[1])
  said = {}
end
local since = {}
for place = 1, #said, 2 do
  if (tonumber(string.sub(said[place + 1], 14, 26)) or 0) > at then
    since[said[place]] = string.sub(said[place + 1], 1, 13)
  else
    redis.call('HDEL', KEYS[1], said[place])
  end
end
for place = 3, #ARGV do
  local column = ARGV[place]
  if not since[column] then
    since[column] = string.format('%013.0f', at)
    redis.call('SET', KEYS[place], 'G' .. ARGV[2])
  end
  redis.call('HSET', KEYS[1], column, since[column] .. string.format('%013.0f', at + ARGV[1]))
end
local answer = {is(epoch, 'E') and string.sub(epoch, 2, 17) or '', string.format('%.0f', at)}
for column, from in pairs(since) do
  answer[#answer + 1] = column
  answer[#answer + 1] = from
end
return answer
