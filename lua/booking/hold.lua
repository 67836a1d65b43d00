-- Sets seats and standing places aside for one fan: all of them or none.
-- KEYS as in record.lua
-- ARGV 1 hold  2 fan  3 fingerprint of the request  4 ttl ms  5 longest life ms
--      6 extensions  7 most tickets an order  8 most tickets a fan
--      9 seats '1,2'  10 tiers '0:2'  (each sorted, without repetition)
-- Returns {'held', record}; {'same', record} to a retry, also of an ended hold;
--   {'another'} when that name is taken by another request;
--   {'taken', seats, tiers}; {'order_limit'}; {'fan_limit', has};
--   {'again'} when refusing would be wrong because more holds are due.
-- Steps: 1 end what is due, 2 a retry, 3 end what is due among the seats asked
--   for, 4 judge, 5 write. 1 and 3 are whole in themselves.
local refused = fence(META)
if refused then
  return refused
end
local now = now_ms(META)
local MAX_RECLAIMED = 20
local id, fan, request = ARGV[1], ARGV[2], ARGV[3]
local seats, tiers = seat_list(ARGV[9]), tier_list(ARGV[10])
local asked = tickets(seats, tiers)

local reclaimed = reclaim(now, MAX_RECLAIMED)

local known = find(id)
if known then
  if known.fan ~= fan or known.request ~= request then
    return { 'another' }
  end
  if known.state == 'h' and known.deadline <= now then
    give_back(id, known, 'e', now)
  end
  return { 'same', pack(known) }
end

if asked > tonumber(ARGV[7]) then
  return { 'order_limit' }
end

-- Which of the seats are not to be had?
local taken = {}
if #seats > 0 then
  local held, by, call = {}, {}, { 'BITFIELD', SEATS }
  for at, seat in ipairs(seats) do
    call[3 * at], call[3 * at + 1], call[3 * at + 2] = 'GET', 'u2', '#' .. seat
  end
  local beyond = redis.call('STRLEN', SEATS) * 4
  for at, status in ipairs(redis.call(unpack(call))) do
    if status == 1 then
      held[#held + 1] = seats[at]
    elseif status > 1 or tonumber(seats[at]) >= beyond then
      taken[#taken + 1] = seats[at]
    end
  end
  if #held > 0 then
    by = redis.call('HMGET', OWNER, unpack(held))
  end
  local ended = {}
  for at, owner in ipairs(by) do
    local other = owner and not ended[owner] and find(owner)
    if other and other.state == 'h' and other.deadline <= now then
      give_back(owner, other, 'e', now)
      ended[owner] = true
    end
    if not (owner and ended[owner]) then
      taken[#taken + 1] = held[at]
    end
  end
end

local has = tonumber(redis.call('HGET', PERFAN, fan) or '0')
if has + asked > tonumber(ARGV[8]) then
  if reclaimed == MAX_RECLAIMED then
    return { 'again' }
  end
  return { 'fan_limit', tostring(has) }
end

local short = {}
for _, tier in ipairs(tiers) do
  local stock = redis.call('HMGET', TIERS, tier[1], tier[1] .. ':cap')
  if tonumber(stock[1] or '0') + tier[2] > tonumber(stock[2] or '0') then
    short[#short + 1] = tier[1]
  end
end
if #short > 0 and reclaimed == MAX_RECLAIMED then
  return { 'again' }
end
if #taken + #short > 0 then
  return { 'taken', table.concat(taken, ','), table.concat(short, ',') }
end

local h = {
  state = 'h', fan = fan, request = request, created = now,
  deadline = now + math.min(tonumber(ARGV[4]), tonumber(ARGV[5])),
  ends = now + tonumber(ARGV[5]), extensions = tonumber(ARGV[6]), extended_by = '',
  attempts = 0, order = '', seats = ARGV[9], tiers = ARGV[10],
}
local record = pack(h)
if #seats > 0 then
  mark(seats, 1)
  local owned = {}
  for at, seat in ipairs(seats) do
    owned[2 * at - 1], owned[2 * at] = seat, id
  end
  redis.call('HSET', OWNER, unpack(owned))
end
count(fan, seats, tiers, 1)
redis.call('HSET', HOLDS, id, record)
redis.call('ZADD', DUE, string.format('%.0f', h.deadline), id)
note('h', id, h, now)
return { 'held', record }
