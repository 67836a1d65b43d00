-- Ends some of the holds that are past their deadline and forgets some of
-- those that ended long ago. Nothing depends on it: hold.lua looks for itself.
-- KEYS as in record.lua
-- ARGV 1 most holds to end
-- Returns {'swept', ended, 1 when more may be due}.
local refused = fence(META)
if refused then
  return refused
end
local now = now_ms(META)
local limit = tonumber(ARGV[1])
local ended = reclaim(now, limit)
forget(now, 2 * limit)
return { 'swept', ended, ended == limit and 1 or 0 }
