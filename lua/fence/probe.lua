#!lua
-- Asks whether an event's memory is the one that was rebuilt for our epoch.
-- KEYS 1 {e}:meta
-- Returns 1.
local refused = fence(KEYS[1])
if refused then
  return refused
end
return 1
