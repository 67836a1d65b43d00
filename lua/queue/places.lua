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

-- Those inside, by their place among the fans asked after.
local called, nth = {}, {}
for i, fan in ipairs(ARGV) do
  if passes[i] then
    called[#called + 1] = fan
    nth[i] = #called
  end
end
local ends, deadlines = {}, {}
if #called > 0 then
  ends = redis.call('ZMSCORE', KEYS[5], unpack(called))
  deadlines = redis.call('ZMSCORE', KEYS[4], unpack(called))
end

local function inside(i)
  local number, lane = string.match(passes[i], '^(%d+):(.*)$')
  local session_ends = tonumber(ends[nth[i]] or '')
  if session_ends and session_ends <= now then return {'ended', 'expired'} end
  if session_ends then return {'active', session_ends, tonumber(number), lane} end
  return {'admitted', tonumber(deadlines[nth[i]] or '0'), tonumber(number), lane}
end

-- Few fans of a call: they are looked up one by one.
local function elsewhere(fan)
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
  elseif passes[i] then
    places[i] = inside(i)
  else
    places[i] = elsewhere(fan)
  end
end
return places
