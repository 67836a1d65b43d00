#!lua
-- The edges that said lately whom they have connected.
-- KEYS 1 {e}:meta  2 {e}:edges
-- ARGV 1 how many at most  2 milliseconds until a saying fades
-- Returns {now, edge, ...}: `now` is the age of the snapshot that is read next.
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])
local edges = redis.call('ZREVRANGEBYSCORE', KEYS[2], '+inf', '(' .. now - tonumber(ARGV[2]),
  'LIMIT', 0, tonumber(ARGV[1]))
return {now, unpack(edges)}
