#!lua
-- Opens an event whose memory was rebuilt for this epoch.
-- KEYS 1 {e}:meta
-- ARGV 1 '1' to record which master was rebuilt (a replicated Redis), else '0'
-- Returns 1.
local refused = fence(KEYS[1], 'rebuilding')
if refused then
  return refused
end
local replid = ''
if ARGV[1] == '1' then
  replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end
redis.call('HSET', KEYS[1], 'state', 'open', 'replid', replid)
return 1
