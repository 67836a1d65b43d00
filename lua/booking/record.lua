-- What all booking scripts share, put by the loader between the prelude and
-- the script: the names of the keys, how a hold is written down, how it ends.
--
-- KEYS of every booking script, in this order:
--   1 {e}:meta        the fence
--   2 {e}:seats       two bits a seat: 0 available, 1 held, 2 booked, 3 blocked
--   3 {e}:owner       hash: seat held -> hold
--   4 {e}:holds       hash: hold -> record (see `parse`)
--   5 {e}:due         sorted set: live hold -> deadline
--   6 {e}:perfan      hash: fan -> tickets held, committing and bought
--   7 {e}:tiers       hash: tier -> places taken, '<tier>:cap' -> capacity
--   8 {e}:committing  sorted set: '<order> <hold>' -> when the commit began
--   9 {e}:closed      sorted set: ended hold -> when it ended
--  10 {e}:sold        hash: decided order -> 'fan;tickets;seats;tiers'; 'x' when
--                     its seats went back on sale; 'f' when it failed
--  11 {e}:trail       stream of what happened
-- Times are milliseconds since 1970.
local META, SEATS, OWNER, HOLDS, DUE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local PERFAN, TIERS, COMMITTING = KEYS[6], KEYS[7], KEYS[8]
local CLOSED, SOLD, TRAIL = KEYS[9], KEYS[10], KEYS[11]

local MAX_TRAIL_ENTRIES = 100000
-- How long an ended hold can still be asked about, and how many at most.
local KEEP_CLOSED_MS, MAX_CLOSED = 900000, 100000

-- State: h held, c committing, b booked, e expired, r released, x cancelled.
local RECORD = '^(%a);(%x+);(%x+);(%d+);(%d+);(%d+);(%d+);(%x*);(%d+);([%x-]*);([%d,]*);([%d:,]*)$'

local function parse(text)
  local h = {}
  h.state, h.fan, h.request, h.created, h.deadline, h.ends, h.extensions, h.extended_by,
    h.attempts, h.order, h.seats, h.tiers = string.match(text, RECORD)
  h.deadline, h.ends = tonumber(h.deadline), tonumber(h.ends)
  h.extensions, h.attempts = tonumber(h.extensions), tonumber(h.attempts)
  return h
end

local function pack(h)
  return string.format('%s;%s;%s;%.0f;%.0f;%.0f;%d;%s;%d;%s;%s;%s', h.state, h.fan, h.request,
    h.created, h.deadline, h.ends, h.extensions, h.extended_by, h.attempts, h.order, h.seats,
    h.tiers)
end

local function find(id)
  local text = redis.call('HGET', HOLDS, id)
  return text and parse(text)
end

-- '1,2,3' -> {'1', '2', '3'}
local function seat_list(text)
  local seats = {}
  for seat in string.gmatch(text, '%d+') do
    seats[#seats + 1] = seat
  end
  return seats
end

-- '0:2,3:1' -> {{'0', 2}, {'3', 1}}
local function tier_list(text)
  local tiers = {}
  for tier, count in string.gmatch(text, '(%d+):(%d+)') do
    tiers[#tiers + 1] = { tier, tonumber(count) }
  end
  return tiers
end

local function tickets(seats, tiers)
  local sum = #seats
  for _, tier in ipairs(tiers) do
    sum = sum + tier[2]
  end
  return sum
end

local function mark(seats, status)
  if #seats == 0 then
    return
  end
  local call = { 'BITFIELD', SEATS }
  for _, seat in ipairs(seats) do
    call[#call + 1], call[#call + 2], call[#call + 3], call[#call + 4] = 'SET', 'u2', '#' .. seat, status
  end
  redis.call(unpack(call))
end

-- Adds to what the fan and the tiers have taken (or gives back, with sign -1).
local function count(fan, seats, tiers, sign)
  local left = redis.call('HINCRBY', PERFAN, fan, sign * tickets(seats, tiers))
  if left <= 0 then
    redis.call('HDEL', PERFAN, fan)
  end
  for _, tier in ipairs(tiers) do
    redis.call('HINCRBY', TIERS, tier[1], sign * tier[2])
  end
end

local function note(kind, id, h, now)
  redis.call('XADD', TRAIL, 'MAXLEN', '~', MAX_TRAIL_ENTRIES, '*', 'k', kind, 'at',
    string.format('%.0f', now), 'r', id, 'f', h.fan, 'o', h.order, 's', h.seats, 't', h.tiers)
end

-- Forgets up to `limit` ended holds: old ones, or the oldest when too many.
local function forget(now, limit)
  local ids
  if redis.call('ZCARD', CLOSED) > MAX_CLOSED then
    ids = redis.call('ZRANGE', CLOSED, 0, limit - 1)
  else
    local before = string.format('%.0f', now - KEEP_CLOSED_MS)
    ids = redis.call('ZRANGEBYSCORE', CLOSED, '-inf', before, 'LIMIT', 0, limit)
  end
  if #ids > 0 then
    redis.call('HDEL', HOLDS, unpack(ids))
    redis.call('ZREM', CLOSED, unpack(ids))
  end
end

-- Writes an ended hold down, to be asked about for a while; and, so that they
-- never pile up, forgets twice as many.
local function close(id, h, state, now)
  forget(now, 2)
  h.state = state
  redis.call('ZREM', DUE, id)
  redis.call('HSET', HOLDS, id, pack(h))
  redis.call('ZADD', CLOSED, string.format('%.0f', now), id)
end

-- Ends a hold whole: everything that is still its own goes back on sale.
local function give_back(id, h, state, now)
  local seats, own = seat_list(h.seats), {}
  if #seats > 0 then
    for at, owner in ipairs(redis.call('HMGET', OWNER, unpack(seats))) do
      if owner == id then
        own[#own + 1] = seats[at]
      end
    end
  end
  if #own > 0 then
    mark(own, 0)
    redis.call('HDEL', OWNER, unpack(own))
  end
  count(h.fan, seats, tier_list(h.tiers), -1)
  close(id, h, state, now)
  note(state, id, h, now)
end

-- Ends up to `limit` holds that are past their deadline; returns how many.
local function reclaim(now, limit)
  local due = redis.call('ZRANGEBYSCORE', DUE, '-inf', string.format('%.0f', now), 'LIMIT', 0, limit)
  for _, id in ipairs(due) do
    give_back(id, find(id), 'e', now)
  end
  return #due
end
