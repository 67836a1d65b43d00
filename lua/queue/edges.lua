#!lua
-- The edges that said lately whom they have connected.
-- KEYS 1 {e}:meta  2 {e}:edges
-- ARGV 1 how many at most
-- Returns {now, edge, ...}: `now` is the age of the snapshot that is read next.
local refused = fence(KEYS[1])
if refused then return refused end
local edges = redis.call('ZREVRANGE', KEYS[2], 0, tonumber(ARGV[1]) - 1)
return {now_ms(KEYS[1]), unpack(edges)}
