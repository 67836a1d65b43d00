#!lua
-- Lets a session last until a hold's end, so that nobody is thrown out while paying.
-- KEYS 1 {e}:meta  2 {e}:active  3 {e}:inside
-- ARGV 1 fan  2 number of the session  3 until (ms); a session is never shortened
-- Returns {'active', ends_at, number, lane}, or {'ended'} when that session is over.
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local fan, wanted = ARGV[1], tonumber(ARGV[3])
local number, lane = string.match(redis.call('HGET', KEYS[3], fan) or '', '^(%d+):(.*)$')
local ends = tonumber(redis.call('ZSCORE', KEYS[2], fan) or '0')
if number ~= ARGV[2] or ends <= now then return {'ended'} end
ends = math.max(ends, wanted)
redis.call('ZADD', KEYS[2], ends, fan)
return {'active', ends, tonumber(number), lane}
