#!lua
-- Brings back the ends of sessions that a token may outlive, at most 200 a call.
-- KEYS 1 {e}:meta  2 {e}:ended  3 {e}:fate
-- ARGV fan, when, `number:lane`, reason, ... in order of time
-- Returns {'restored'}.
local refused = fence(KEYS[1], 'rebuilding')
if refused then return refused end
for i = 1, #ARGV, 4 do
  redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i] .. ARGV[i + 2])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 3] .. ' ' .. ARGV[i + 2])
end
return {'restored'}
