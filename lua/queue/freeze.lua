#!lua
-- Ends the gathering of a lottery: the list of each lane is fixed, newcomers take the
-- numbers behind it. Repeating it returns what was fixed.
-- KEYS 1 {e}:meta  2.. gather, next of each lane
-- ARGV lanes
-- Returns {'frozen', fans of each lane...}, or {'block_too_small', lane, fans} when more
--         numbers must be leased first, or {'not_gathering'}, or {'settling'} while fans
--         are still coming back after a rebuild.
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local meta = KEYS[1]
local phase = redis.call('HGET', meta, 'phase')
if phase ~= 'gathering' and phase ~= 'drawing' then return {'not_gathering'} end
if phase == 'gathering' and now < tonumber(redis.call('HGET', meta, 'settle_until') or '0') then
  return {'settling'}
end
local result = {'frozen'}
for i, lane in ipairs(ARGV) do
  local fans = phase == 'drawing' and tonumber(redis.call('HGET', meta, 'drawn:' .. lane) or '0')
    or redis.call('ZCARD', KEYS[2 * i])
  local block = tonumber(redis.call('HGET', meta, 'block:' .. lane) or '0')
  if fans > block then return {'block_too_small', lane, fans} end
  result[i + 1] = fans
end
if phase == 'drawing' then return result end

for i, lane in ipairs(ARGV) do
  redis.call('HSET', meta, 'drawn:' .. lane, result[i + 1])
  redis.call('SET', KEYS[2 * i + 1], result[i + 1])
end
redis.call('HSET', meta, 'phase', 'drawing')
return result
