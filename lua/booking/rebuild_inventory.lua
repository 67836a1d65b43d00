-- Begins to write an event's inventory anew: forgets what was there and puts
-- the seats. rebuild_fill.lua follows until everything of Postgres is in.
-- KEYS as in record.lua
-- ARGV 1 run: names this rebuild, so that an overtaken one notices
--      2 the seats' bits, whole  3 capacities '0:500'  4 places taken '0:20'
-- Returns {'begun'}.
-- The trail stays: it is a log, not a memory.
local refused = fence(META, 'rebuilding')
if refused then
  return refused
end
redis.call('UNLINK', SEATS, OWNER, HOLDS, DUE, PERFAN, TIERS, COMMITTING, CLOSED, SOLD)
redis.call('HSET', META, 'inventory_run', ARGV[1])
if ARGV[2] ~= '' then
  redis.call('SET', SEATS, ARGV[2])
end
for _, tier in ipairs(tier_list(ARGV[3])) do
  redis.call('HSET', TIERS, tier[1] .. ':cap', string.format('%d', tier[2]))
end
for _, tier in ipairs(tier_list(ARGV[4])) do
  redis.call('HSET', TIERS, tier[1], string.format('%d', tier[2]))
end
return { 'begun' }
