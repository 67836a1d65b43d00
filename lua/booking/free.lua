-- Ends a live hold at its fan's wish ('r') or somebody else's ('x').
-- KEYS as in record.lua
-- ARGV 1 hold  2 fan, or '' for whoever it is  3 state to end in: r or x
-- Returns {'freed', record}; {'ended', record} when it had ended already;
--   {'committing', record}; {'missing'}.
local refused = fence(META)
if refused then
  return refused
end
local now = now_ms(META)
local id = ARGV[1]
local h = find(id)
if not h or (ARGV[2] ~= '' and h.fan ~= ARGV[2]) then
  return { 'missing' }
end
if h.state == 'c' then
  return { 'committing', pack(h) }
end
if h.state ~= 'h' then
  return { 'ended', pack(h) }
end
if h.deadline <= now then
  give_back(id, h, 'e', now)
  return { 'ended', pack(h) }
end
give_back(id, h, ARGV[3], now)
return { 'freed', pack(h) }
