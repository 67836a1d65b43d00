#!lua
-- Takes or renews the lease on leading an event; the holder's token is what release.lua checks.
-- KEYS 1 {e}:meta  2 {e}:leader
-- ARGV 1 token  2 milliseconds to hold it, '0' to give it up
-- Returns {'led', 1} when the caller leads now, {'led', 0} when somebody else does.
local refused = fence(KEYS[1])
if refused then return refused end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return {'led', 0} end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[2])
  return {'led', 0}
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'led', 1}
