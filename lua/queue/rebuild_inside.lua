#!lua
-- Brings back fans who are inside, at most 200 a call.
-- KEYS 1 {e}:meta  2 {e}:active or {e}:admitted  3 {e}:inside
-- ARGV fan, until, `number:lane`, ...
-- Returns {'restored'}.
local refused = fence(KEYS[1], 'rebuilding')
if refused then return refused end
for i = 1, #ARGV, 3 do
  redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2])
end
return {'restored'}
