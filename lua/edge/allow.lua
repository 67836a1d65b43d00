#!lua
-- Takes one turn from each allowance, or from none: a fan who is refused for all fans'
-- sake keeps the own turn. By the generic cell rate algorithm: turns come back evenly
-- over the window, so there is no edge of a minute at which twice as many pass. No
-- fence: an allowance is not inventory, and losing it with Redis's memory costs nothing.
-- KEYS 1.. the allowances, of one kind of call
-- ARGV two for each: turns in a window, the window in ms
-- Returns {0, 0} when the turns were taken, otherwise which of the allowances has none
--   and the ms until it has one.
-- Steps: O(1). Kept to the microsecond: a turn of thousands a second is less than a ms.
local now = now_ms()
local after = {}
for i, key in ipairs(KEYS) do
  local turns, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  -- When all turns would be back, were no more taken.
  local full_at = math.max(tonumber(redis.call('GET', key) or 0), now)
  after[i] = full_at + window / turns
  if after[i] - now > window then
    return { i, math.ceil(after[i] - now - window) }
  end
end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.3f', after[i]), 'PX', ARGV[2 * i])
end
return { 0, 0 }
