#!lua
-- Where each of up to 500 fans stands. Reads only.
-- KEYS 1 {e}:meta  2 line  3 gather (of the lane)  4 {e}:admitted  5 {e}:active
--      6 {e}:inside  7 {e}:fate
-- ARGV fans
-- Returns one place a fan: {'waiting', number}, {'gathering', index},
--         {'admitted', claim_by, number, lane}, {'active', ends_at, number, lane},
--         {'ended', reason} or {'unknown'}.
local WITHDRAWN = 4294967296
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local numbers = redis.call('ZMSCORE', KEYS[2], unpack(ARGV))
local passes = redis.call('HMGET', KEYS[6], unpack(ARGV))

-- Most fans of a call stand in line; the rest is looked up one by one.
local function not_in_line(fan, pass)
  if pass then
    local number, lane = string.match(pass, '^(%d+):(.*)$')
    local ends = tonumber(redis.call('ZSCORE', KEYS[5], fan) or '')
    if ends and ends <= now then return {'ended', 'expired'} end
    if ends then return {'active', ends, tonumber(number), lane} end
    local claim_by = tonumber(redis.call('ZSCORE', KEYS[4], fan) or '0')
    return {'admitted', claim_by, tonumber(number), lane}
  end
  local index = tonumber(redis.call('ZSCORE', KEYS[3], fan) or '')
  if index and index < WITHDRAWN then return {'gathering', index} end
  local fate = redis.call('HGET', KEYS[7], fan)
  if fate then return {'ended', string.match(fate, '^%a+')} end
  return {'unknown'}
end

local places = {}
for i, fan in ipairs(ARGV) do
  if numbers[i] then
    places[i] = {'waiting', tonumber(numbers[i])}
  else
    places[i] = not_in_line(fan, passes[i])
  end
end
return places
