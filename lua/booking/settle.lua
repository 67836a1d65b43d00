-- Marks a paid order's seats booked. Order, fan, seats and tiers come from
-- Postgres, which has decided; so this never refuses what is not yet done.
-- KEYS as in record.lua
-- ARGV 1 order  2 hold  3 fan  4 seats '1,2'  5 tiers '0:2'
-- Returns {'settled'}; {'forced'} when the hold was no longer the order's own;
--   {'already'}; {'over'} when the order's seats went back on sale before.
local refused = fence(META)
if refused then
  return refused
end
local now = now_ms(META)
local order, id, fan = ARGV[1], ARGV[2], ARGV[3]
local seats, tiers = seat_list(ARGV[4]), tier_list(ARGV[5])
redis.call('ZREM', COMMITTING, order .. ' ' .. id)
local sold = redis.call('HGET', SOLD, order)
if sold and sold ~= 'f' then
  return { sold == 'x' and 'over' or 'already' }
end

local h = find(id)
if h and h.state == 'h' and h.deadline <= now then
  give_back(id, h, 'e', now)
end
local own = h and h.order == order and (h.state == 'c' or h.state == 'h')
-- Whoever else believes to hold one of these seats does so by mistake.
if #seats > 0 then
  local met = {}
  for _, owner in ipairs(redis.call('HMGET', OWNER, unpack(seats))) do
    local stranger = owner and not (own and owner == id) and not met[owner]
    local other = stranger and find(owner)
    if other and other.state == 'h' then
      give_back(owner, other, other.deadline <= now and 'e' or 'x', now)
    end
    if owner then
      met[owner] = true
    end
  end
  mark(seats, 2)
  redis.call('HDEL', OWNER, unpack(seats))
end
if own then
  close(id, h, 'b', now)
else
  -- Its hold gave its tickets back when it ended: count them again.
  h = { fan = fan, order = order, seats = ARGV[4], tiers = ARGV[5] }
  count(fan, seats, tiers, 1)
end
local summary = { fan, string.format('%d', tickets(seats, tiers)), ARGV[4], ARGV[5] }
redis.call('HSET', SOLD, order, table.concat(summary, ';'))
note('b', id, h, now)
return { own and 'settled' or 'forced' }
