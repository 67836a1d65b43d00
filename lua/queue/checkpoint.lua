#!lua
-- What a lane's checkpoint keeps, of one moment. Reads only.
-- KEYS 1 {e}:meta  2 alive  3 spent  4 next (of the lane)
-- Returns {last number, alive, spent}.
local refused = fence(KEYS[1])
if refused then return refused end
return {
  tonumber(redis.call('GET', KEYS[4]) or '0'),
  redis.call('GET', KEYS[2]) or '',
  redis.call('GET', KEYS[3]) or '',
}
