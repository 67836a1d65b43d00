#!lua
-- Writes fields of the event's meta: phase, mode, message, limits, passes.
-- KEYS 1 {e}:meta
-- ARGV field, value, ... ; the number of a block only ever rises
-- Returns {'configured'}.
local refused = fence(KEYS[1])
if refused then return refused end
local known = redis.call('HGETALL', KEYS[1])
local current = {}
for i = 1, #known, 2 do
  current[known[i]] = known[i + 1]
end
local fields = {}
for i = 1, #ARGV, 2 do
  local lower = string.find(ARGV[i], '^block:') and tonumber(ARGV[i + 1]) <= tonumber(current[ARGV[i]] or '0')
  if not lower then
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = ARGV[i + 1]
  end
end
if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
return {'configured'}
