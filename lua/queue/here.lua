#!lua
-- Says which numbers an edge has connected; the saying fades if it is not repeated.
-- KEYS 1 {e}:meta  2 {e}:edges  3.. {e}:here:<edge>:<lane>
-- ARGV 1 edge  2 milliseconds until it fades  3.. bitmap of each lane
-- Returns {'here'}.
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])
for i = 3, #KEYS do
  redis.call('SET', KEYS[i], ARGV[i], 'PX', ARGV[2])
end
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[2]))
return {'here'}
