#!lua
-- Takes one turn from an allowance, of a fan or of all fans, by the generic cell rate algorithm:
-- turns come back evenly over the window, so there is no edge of a minute at
-- which twice as many pass. No fence: an allowance is not inventory, and losing
-- it with Redis's memory costs nothing.
-- KEYS 1 the allowance: of one kind of call
-- ARGV 1 turns in a window  2 the window, in ms
-- Returns 0 when the turn was taken, otherwise the ms until one is free.
-- Steps: O(1).
local turns, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()
-- When all turns would be back, were no more taken.
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local after = full_at + window / turns
if after - now > window then
  return math.ceil(after - now - window)
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', window)
return 0
