#!lua
-- What is true of the event as a whole: for an edge that begins to serve it. Reads only.
-- KEYS 1 {e}:meta
-- Returns the meta as a field/value list.
local refused = fence(KEYS[1])
if refused then return refused end
return redis.call('HGETALL', KEYS[1])
