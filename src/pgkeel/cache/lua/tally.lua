#!lua
-- Add to figures that all processes share. Returns how many.
-- KEYS one; ARGV name, how much, name, how much, …
for place = 1, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[1], ARGV[place], ARGV[place + 1]) end
return #ARGV
