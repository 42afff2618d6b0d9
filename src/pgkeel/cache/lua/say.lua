#!lua flags=allow-oom
-- What writers say, where the memory is full, or a key of another kind lies in the way: that one goes. Returns 1.
-- KEYS all that are written; ARGV for each command how many words it has, then those
local place = 1
while place <= #ARGV do
  local last = place + tonumber(ARGV[place])
  local reply = redis.pcall(unpack(ARGV, place + 1, last))
  if type(reply) == 'table' and reply.err then
    if string.sub(reply.err, 1, 9) ~= 'WRONGTYPE' then return reply end
    redis.call('DEL', ARGV[place + 2])
    redis.call(unpack(ARGV, place + 1, last))
  end
  place = last + 1
end
return 1
