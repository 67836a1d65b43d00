-- Writes a part of what Postgres knows into an inventory being rebuilt.
-- KEYS as in record.lua
-- ARGV 1 run  2 where to: owner, holds, perfan, sold or committing
--      3.. pairs of field and value (committing: time and member), at most 1000
-- Returns {'filled'}; {'overtaken'} when another rebuild began meanwhile.
local refused = fence(META, 'rebuilding')
if refused then
  return refused
end
if redis.call('HGET', META, 'inventory_run') ~= ARGV[1] then
  return { 'overtaken' }
end
local hashes = { owner = OWNER, holds = HOLDS, perfan = PERFAN, sold = SOLD }
if ARGV[2] == 'committing' then
  redis.call('ZADD', COMMITTING, unpack(ARGV, 3))
else
  redis.call('HSET', hashes[ARGV[2]], unpack(ARGV, 3))
end
return { 'filled' }
