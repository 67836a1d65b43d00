#!lua
-- Sets how many fans may pass an empty line at once until the leader's next tick.
-- KEYS 1 {e}:meta  2 {e}:leader
-- ARGV 1 lease token  2 lane, passes, lane, passes, ...
-- Returns {'set'} or {'not_leader'}.
local refused = fence(KEYS[1])
if refused then return refused end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {'not_leader'} end
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], 'fast:' .. ARGV[i], ARGV[i + 1])
end
return {'set'}
