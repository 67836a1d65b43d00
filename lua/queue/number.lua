#!lua
-- Gives drawn numbers to fans, at most 25 a call. Repeating a call changes nothing.
-- KEYS 1 {e}:meta  2 line  3 alive  4 spent  5 gather (of the lane)
-- ARGV 1 state that the event must have: 'open', or 'rebuilding' to bring back numbers
--        that were given before Redis was lost (the fans need not stand in gather then)
--      2.. number, fan, number, fan, ...
-- Returns {'numbered', how many stand in line now by this call}.
local WITHDRAWN = 4294967296
local refused = fence(KEYS[1], ARGV[1])
if refused then return refused end

local line, alive, spent, gather = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local restoring = ARGV[1] == 'rebuilding'
local fans, numbers = {}, {}
for i = 2, #ARGV, 2 do
  numbers[#numbers + 1] = ARGV[i]
  fans[#fans + 1] = ARGV[i + 1]
end
local indexes = redis.call('ZMSCORE', gather, unpack(fans))

local standing, alive_bits, spent_bits = {}, {}, {}
local function set_bit(bits, number)
  for _, word in ipairs({'SET', 'u1', number, 1}) do
    bits[#bits + 1] = word
  end
end
for i, fan in ipairs(fans) do
  local index, number = tonumber(indexes[i] or ''), numbers[i]
  local is_spent = redis.call('GETBIT', spent, number) == 1
  local stands = not is_spent and (restoring or index)
  if stands and index and index > WITHDRAWN then
    set_bit(spent_bits, number)
  elseif stands then
    standing[#standing + 1] = number
    standing[#standing + 1] = fan
    set_bit(alive_bits, number)
  end
end
if #alive_bits > 0 then
  redis.call('ZADD', line, unpack(standing))
  redis.call('BITFIELD', alive, unpack(alive_bits))
end
if #spent_bits > 0 then redis.call('BITFIELD', spent, unpack(spent_bits)) end
redis.call('ZREM', gather, unpack(fans))
return {'numbered', #standing / 2}
