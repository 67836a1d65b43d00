-- Puts the seats of a cancelled or refunded order back on sale, once.
-- KEYS as in record.lua
-- ARGV 1 order  2 hold
-- Returns {'restocked'}; {'already'}.
-- The order stays marked, so that a late settle cannot sell its seats again.
local refused = fence(META)
if refused then
  return refused
end
local now = now_ms(META)
local order, id = ARGV[1], ARGV[2]
redis.call('ZREM', COMMITTING, order .. ' ' .. id)
local sold = redis.call('HGET', SOLD, order)
if sold == 'x' then
  return { 'already' }
end
local h = find(id)
if sold and sold ~= 'f' then
  local fan, _, seats, tiers = string.match(sold, '^(%x+);(%d+);([%d,]*);([%d:,]*)$')
  mark(seat_list(seats), 0)
  count(fan, seat_list(seats), tier_list(tiers), -1)
  note('restocked', id, { fan = fan, order = order, seats = seats, tiers = tiers }, now)
elseif h and h.state == 'c' and h.order == order then
  -- Cancelled before it was settled.
  give_back(id, h, 'x', now)
end
redis.call('HSET', SOLD, order, 'x')
return { 'restocked' }
