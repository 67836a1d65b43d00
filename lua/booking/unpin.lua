-- Undoes a commit after Postgres decided that the order failed: the hold goes
-- back to its fan with a short new deadline, or is freed.
-- KEYS as in record.lua
-- ARGV 1 order  2 hold  3 new time ms, '' to free it  4 attempt that earns none
-- Returns {'held', record}; {'freed', record}; {'already'}.
-- Before that attempt the fan gets the new time even past the
-- hold's absolute end (paying took it); after that the end is the end.
local refused = fence(META)
if refused then
  return refused
end
local now = now_ms(META)
local order, id = ARGV[1], ARGV[2]
redis.call('ZREM', COMMITTING, order .. ' ' .. id)
-- Also when it was never pinned here: its commit may still be on the way.
redis.call('HSETNX', SOLD, order, 'f')
local h = find(id)
if not h or h.state ~= 'c' or h.order ~= order then
  return { 'already' }
end
if ARGV[3] == '' then
  give_back(id, h, 'x', now)
  return { 'freed', pack(h) }
end
if h.attempts < tonumber(ARGV[4]) then
  h.deadline = math.max(h.deadline, now + tonumber(ARGV[3]))
end
if h.deadline <= now then
  give_back(id, h, 'e', now)
  return { 'freed', pack(h) }
end
h.state = 'h'
local record = pack(h)
redis.call('HSET', HOLDS, id, record)
redis.call('ZADD', DUE, string.format('%.0f', h.deadline), id)
note('unpinned', id, h, now)
return { 'held', record }
