#!lua
-- The fans of up to 200 numbers, to be written down before they are released. Reads only.
-- KEYS 1 {e}:meta  2 line (of the lane)
-- ARGV numbers
-- Returns {number, fan, number, fan, ...}; a number without a fan is left out.
local refused = fence(KEYS[1])
if refused then return refused end
local result = {}
for _, number in ipairs(ARGV) do
  local fan = redis.call('ZRANGEBYSCORE', KEYS[2], number, number)[1]
  if fan then
    result[#result + 1] = tonumber(number)
    result[#result + 1] = fan
  end
end
return result
