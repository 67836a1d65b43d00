-- Pins a hold to an order. The only judge of a hold's deadline on the way to
-- payment: from here on the hold has none, and only settle or unpin end it.
-- KEYS as in record.lua
-- ARGV 1 hold  2 fan  3 order  4 most orders committing
-- Returns {'committing', record}; {'same', record} to a retry;
--   {'busy', record} while another order has it; {'over', record} when this
--   order is decided already; {'ended', record}; {'full'}; {'missing'}.
local refused = fence(META)
if refused then
  return refused
end
local now = now_ms(META)
local id, order = ARGV[1], ARGV[3]
local h = find(id)
if not h or h.fan ~= ARGV[2] then
  return { 'missing' }
end
if h.state == 'c' then
  return { h.order == order and 'same' or 'busy', pack(h) }
end
if h.state == 'h' and h.deadline <= now then
  give_back(id, h, 'e', now)
end
if h.state ~= 'h' then
  return { 'ended', pack(h) }
end
-- A late duplicate must not pin the hold again: nobody would unpin it.
if redis.call('HEXISTS', SOLD, order) == 1 then
  return { 'over', pack(h) }
end
if redis.call('ZCARD', COMMITTING) >= tonumber(ARGV[4]) then
  return { 'full' }
end
h.state, h.order, h.attempts = 'c', order, h.attempts + 1
local record = pack(h)
redis.call('ZREM', DUE, id)
redis.call('ZADD', COMMITTING, string.format('%.0f', now), order .. ' ' .. id)
redis.call('HSET', HOLDS, id, record)
note('c', id, h, now)
return { 'committing', record }
