-- Moves a hold's deadline, never past its absolute end.
-- KEYS as in record.lua
-- ARGV 1 hold  2 fan  3 additional ms  4 tag of the request (hex)
-- Returns {'extended', record}, also to a retry with the same tag;
--   {'none_left', record}; {'committing', record}; {'ended', record}; {'missing'}.
local refused = fence(META)
if refused then
  return refused
end
local now = now_ms(META)
local id = ARGV[1]
local h = find(id)
if not h or h.fan ~= ARGV[2] then
  return { 'missing' }
end
if h.state == 'c' then
  return { 'committing', pack(h) }
end
if h.state == 'h' and h.deadline <= now then
  give_back(id, h, 'e', now)
end
if h.state ~= 'h' then
  return { 'ended', pack(h) }
end
if h.extended_by == ARGV[4] then
  return { 'extended', pack(h) }
end
if h.extensions == 0 or h.deadline >= h.ends then
  return { 'none_left', pack(h) }
end
h.deadline = math.min(h.deadline + tonumber(ARGV[3]), h.ends)
h.extensions, h.extended_by = h.extensions - 1, ARGV[4]
local record = pack(h)
redis.call('HSET', HOLDS, id, record)
redis.call('ZADD', DUE, string.format('%.0f', h.deadline), id)
note('extended', id, h, now)
return { 'extended', record }
