#!lua
-- The sessions that ended and the places that moved since an edge last asked. Reads only.
-- KEYS 1 {e}:meta  2 {e}:ended  3 {e}:moved
-- ARGV 1, 2 from which time on (ms), that one included  3 how many of each at most
-- Returns {ends, moves}, each as {member, time, member, time, ...} in order of time.
local refused = fence(KEYS[1])
if refused then return refused end

local function since(key, from)
  local flat = redis.call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
  for i = 2, #flat, 2 do
    flat[i] = tonumber(flat[i])
  end
  return flat
end
return {since(KEYS[2], ARGV[1]), since(KEYS[3], ARGV[2])}
