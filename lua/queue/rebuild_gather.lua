#!lua
-- Brings back the frozen list of a draw whose numbers are not given yet, 125 fans a call.
-- KEYS 1 {e}:meta  2 gather (of the lane)
-- ARGV index, fan, index, fan, ...
-- Returns {'restored'}.
local refused = fence(KEYS[1], 'rebuilding')
if refused then return refused end
redis.call('ZADD', KEYS[2], unpack(ARGV))
return {'restored'}
