#!lua
-- Writes what the leader says of each lane until its next tick: how many fans may pass
-- an empty line at once, and the outlook: the waits that its fans are told.
-- KEYS 1 {e}:meta  2 {e}:leader
-- ARGV 1 lease token  2 lane, passes, outlook, lane, passes, outlook, ...
-- Returns {'announced'} or {'not_leader'}.
local refused = fence(KEYS[1])
if refused then return refused end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {'not_leader'} end
for i = 2, #ARGV, 3 do
  redis.call('HSET', KEYS[1], 'fast:' .. ARGV[i], ARGV[i + 1], 'outlook:' .. ARGV[i], ARGV[i + 2])
end
return {'announced'}
