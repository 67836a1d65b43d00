#!lua
-- Claims an event's memory for a new epoch and closes it until it is rebuilt.
-- The one script without the fence: it is what sets the fence up.
-- KEYS 1 {e}:meta
-- Returns 1, or 0 when a newer epoch has claimed it already.
local known = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0')
if known > tonumber(EPOCH) then
  return 0
end
redis.call('HSET', KEYS[1], 'epoch', EPOCH, 'state', 'rebuilding', 'replid', '')
return 1
