#!lua
-- Writes fields of the event's meta: phase, mode, message, limits, passes.
-- KEYS 1 {e}:meta
-- ARGV 1 revision of the settings that the fields come from, or '' for a single field
--      2.. field, value, ... ; the number of a block only ever rises
-- Returns {'configured'}, or {'outdated'} when a newer revision was written already: an
--         operator's pause must not be undone by a leader who read the settings before it.
local refused = fence(KEYS[1])
if refused then return refused end
local known = redis.call('HGETALL', KEYS[1])
local current = {}
for i = 1, #known, 2 do
  current[known[i]] = known[i + 1]
end
local revision = tonumber(ARGV[1])
if revision and revision < tonumber(current.revision or '0') then return {'outdated'} end
local fields = {}
if revision then fields = {'revision', ARGV[1]} end
for i = 2, #ARGV, 2 do
  local lower = string.find(ARGV[i], '^block:') and tonumber(ARGV[i + 1]) <= tonumber(current[ARGV[i]] or '0')
  if not lower then
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = ARGV[i + 1]
  end
end
if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
return {'configured'}
