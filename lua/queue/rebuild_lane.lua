#!lua
-- Restores a lane's bitmaps and counter.
-- KEYS 1 {e}:meta  2 alive  3 spent  4 next (of the lane)
-- ARGV 1 alive  2 spent  3 last number that may have been handed out
-- Returns {'restored'}.
local refused = fence(KEYS[1], 'rebuilding')
if refused then return refused end
redis.call('SET', KEYS[2], ARGV[1])
redis.call('SET', KEYS[3], ARGV[2])
redis.call('SET', KEYS[4], ARGV[3])
return {'restored'}
