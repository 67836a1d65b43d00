#!lua flags=allow-oom
-- Begins to restore an event's line: forgets what is left of it and writes its settings.
-- KEYS 1 {e}:meta  2.. every other key of the line
-- ARGV 1 for how long nobody is released (ms)  2.. field, value, ... of the meta
-- Returns {'begun', now}.
local KEPT = {epoch = true, state = true, replid = true, test_now = true}
local refused = fence(KEYS[1], 'rebuilding')
if refused then return refused end
local now = now_ms(KEYS[1])

for i = 2, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not KEPT[field] then redis.call('HDEL', KEYS[1], field) end
end
redis.call('HSET', KEYS[1], 'settle_until', now + tonumber(ARGV[1]), unpack(ARGV, 2))
return {'begun', now}
