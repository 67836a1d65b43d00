#!lua
-- Joins the line, or finds the place the fan already has. Repeating it, after
-- a lost reply or from a second tab, gives the same place.
-- KEYS 1 {e}:meta  2 line  3 alive  4 spent  5 next  6 gather (of the lane)
--      7 {e}:admitted  8 {e}:active  9 {e}:inside  10 {e}:fate  11 {e}:gens
--      12.. line, gather of each other lane (at most 15 lanes)
-- ARGV 1 fan  2 lane  3 gen of the fan's token ('0' without one)
--      4 '1' to begin anew after a session that ended
--      5 number in the fan's token or ''  6 epoch of that token or ''
--      7.. names of the other lanes
-- Returns {'joined', is_new, old_place_lost, place} with place as in places.lua,
--         or {'replaced'}, {'elsewhere', lane}, {'not_open'}, {'closed'}, {'full'}.
-- Steps: token not outdated? place already there? token's own number restored?
--        phase and room for one more? gather, pass at once, or take a number.
local WITHDRAWN = 4294967296
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local meta, line, alive, spent, next_key, gather = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local admitted, active, inside, fate, gens = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local fan, lane, gen, again = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local old_number, old_epoch = tonumber(ARGV[5]), tonumber(ARGV[6])

local function joined(is_new, lost, place)
  return {'joined', is_new and 1 or 0, lost and 1 or 0, place}
end

local newest_gen = tonumber(redis.call('HGET', gens, fan) or '0')
if gen < newest_gen then return {'replaced'} end
if gen > newest_gen then redis.call('HSET', gens, fan, gen) end

local number = redis.call('ZSCORE', line, fan)
if number then return joined(false, false, {'waiting', tonumber(number)}) end
local pass = redis.call('HGET', inside, fan)
if pass then
  local of, in_lane = string.match(pass, '^(%d+):(.*)$')
  local ends = redis.call('ZSCORE', active, fan)
  if ends and tonumber(ends) <= now then return joined(false, false, {'ended', 'expired'}) end
  if ends then return joined(false, false, {'active', tonumber(ends), tonumber(of), in_lane}) end
  local claim_by = tonumber(redis.call('ZSCORE', admitted, fan) or '0')
  return joined(false, false, {'admitted', claim_by, tonumber(of), in_lane})
end
local index = tonumber(redis.call('ZSCORE', gather, fan) or '')
if index and index < WITHDRAWN then return joined(false, false, {'gathering', index}) end
local waiting = redis.call('ZCARD', line) + redis.call('ZCARD', gather)
for i = 12, #KEYS do
  if redis.call('ZSCORE', KEYS[i], fan) then
    return {'elsewhere', ARGV[7 + math.floor((i - 12) / 2)]}
  end
  waiting = waiting + redis.call('ZCARD', KEYS[i])
end
local reason = redis.call('HGET', fate, fan)
if reason and (not again or string.find(reason, '^revoked')) then
  return joined(false, false, {'ended', string.match(reason, '^%a+')})
end

local set = redis.call('HMGET', meta, 'phase', 'ordering', 'room', 'max_waiting', 'claim_ms',
  'mode', 'fast:' .. lane, 'block:' .. lane)
local phase, lottery, room_off = set[1], set[2] == 'lottery', set[3] == 'off'
if phase == 'sold_out' or phase == 'closed' then return {'closed'} end
if phase ~= 'gathering' and phase ~= 'drawing' and phase ~= 'open' and phase ~= 'paused' then
  return {'not_open'}
end

local last = tonumber(redis.call('GET', next_key) or '0')
local lost = false
if old_number and not reason then
  lost = redis.call('GETBIT', spent, old_number) == 1
  local taken = redis.call('ZRANGEBYSCORE', line, old_number, old_number, 'LIMIT', 0, 1)[1]
  if not lost and not taken and old_epoch < tonumber(EPOCH) and old_number <= last then
    redis.call('ZADD', line, old_number, fan)
    redis.call('SETBIT', alive, old_number, 1)
    return joined(false, false, {'waiting', old_number})
  end
end

if waiting >= tonumber(set[4] or '0') then return {'full'} end
if phase == 'gathering' and lottery then
  index = redis.call('HINCRBY', meta, 'gathered:' .. lane, 1)
  redis.call('ZADD', gather, index, fan)
  return joined(true, lost, {'gathering', index})
end
if last >= tonumber(set[8] or '0') then return {'full'} end

local passes = tonumber(set[7] or '0')
local at_once = set[6] ~= 'paused' and (room_off or (passes > 0 and redis.call('ZCARD', line) == 0))
number = redis.call('INCR', next_key)
if reason then redis.call('HDEL', fate, fan) end
if phase == 'open' and at_once then
  local claim_by = now + tonumber(set[5])
  redis.call('SETBIT', spent, number, 1)
  redis.call('HSET', inside, fan, number .. ':' .. lane)
  redis.call('ZADD', admitted, claim_by, fan)
  redis.call('HINCRBY', meta, 'released', 1)
  if not room_off then redis.call('HINCRBY', meta, 'fast:' .. lane, -1) end
  return joined(true, lost, {'admitted', claim_by, number, lane})
end
-- As text: each command would write the number out anew, and slowly.
local digits = string.format('%d', number)
redis.call('ZADD', line, digits, fan)
redis.call('SETBIT', alive, digits, 1)
return joined(true, lost, {'waiting', number})
