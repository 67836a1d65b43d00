#!lua
-- Reads the frozen list of a lane piece by piece, in the order of arrival. Reads only.
-- KEYS 1 {e}:meta  2 gather (of the lane)
-- ARGV 1 read what lies above this index  2 how many at most
-- Returns {fan, index, fan, index, ...}. Who withdraws meanwhile moves to an index
--         further on, so a fan may come twice but is never missed.
local refused = fence(KEYS[1])
if refused then return refused end
return redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
