#!lua
-- Moves a fan's place to another device: the generation rises, older tokens are refused.
-- KEYS 1 {e}:meta  2 {e}:gens  3 {e}:moved
-- ARGV 1 fan  2 gen of the token that asks  3 how long a move is told to edges (ms)
-- Returns {'moved', gen} or {'replaced'} when the token that asks is outdated itself.
local MAX_FORGOTTEN = 20
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local fan, gen = ARGV[1], tonumber(ARGV[2])
local newest = tonumber(redis.call('HGET', KEYS[2], fan) or '0')
if gen < newest then return {'replaced'} end
local last = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]
redis.call('HSET', KEYS[2], fan, gen + 1)
redis.call('ZADD', KEYS[3], math.max(now, tonumber(last or '0')), fan .. (gen + 1))
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - tonumber(ARGV[3]), 'LIMIT', 0, MAX_FORGOTTEN)) do
  redis.call('ZREM', KEYS[3], old)
end
return {'moved', gen + 1}
