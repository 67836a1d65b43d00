#!lua
-- Opens the session of a fan who was released. Claiming again gives the same session.
-- KEYS 1 {e}:meta  2 {e}:admitted  3 {e}:active  4 {e}:inside  5 {e}:fate  6 {e}:missed
-- ARGV 1 fan
-- Returns {'active', ends_at, number, lane, is_new}, {'missed'} when the claim window
--         is over, {'ended', reason}, {'closed'}, or {'not_admitted'}.
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local meta, admitted, active, inside, fate, missed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local fan = ARGV[1]
local pass = redis.call('HGET', inside, fan)
if not pass then
  local reason = redis.call('HGET', fate, fan)
  if reason then return {'ended', string.match(reason, '^%a+')} end
  return {'not_admitted'}
end
local number, lane = string.match(pass, '^(%d+):(.*)$')
local ends = tonumber(redis.call('ZSCORE', active, fan) or '')
if ends then
  if ends <= now then return {'ended', 'expired'} end
  return {'active', ends, tonumber(number), lane, 0}
end
local claim_by = tonumber(redis.call('ZSCORE', admitted, fan) or '0')
if claim_by <= now then return {'missed'} end
local set = redis.call('HMGET', meta, 'phase', 'session_ms')
if set[1] == 'closed' then return {'closed'} end

ends = now + tonumber(set[2])
redis.call('ZREM', admitted, fan)
redis.call('ZADD', active, ends, fan)
redis.call('HDEL', missed, fan)
redis.call('HINCRBY', meta, 'claimed', 1)
return {'active', ends, tonumber(number), lane, 1}
