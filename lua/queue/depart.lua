#!lua flags=allow-oom
-- Takes a fan out of the line or out of the shop, for the reason given.
-- Repeating it changes nothing.
-- KEYS 1 {e}:meta  2 line  3 alive  4 spent  5 gather (of the lane)
--      6 {e}:admitted  7 {e}:active  8 {e}:inside  9 {e}:ended  10 {e}:fate  11 {e}:missed
-- ARGV 1 fan  2 reason: left, finished or revoked
--      3 number of the session meant, or '' for the place whatever it is
-- Returns {'departed', was, number, lane} with was = waiting, gathering, admitted or
--         active (lane '' while waiting or gathering), or {'unknown'} when the fan
--         is not there, or {'other'} when another session of the fan is meant.
-- Steps: inside the shop? end the session and say so to the edges. In line? clear
--        the number. A revoked fan is remembered wherever they stood.
local WITHDRAWN = 4294967296
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local meta, line, alive, spent, gather = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local admitted, active, inside, ended, fate, missed = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local fan, reason, meant = ARGV[1], ARGV[2], ARGV[3]

local pass = redis.call('HGET', inside, fan)
if pass then
  local number, lane = string.match(pass, '^(%d+):(.*)$')
  if meant ~= '' and meant ~= number then return {'other'} end
  local was = redis.call('ZREM', active, fan) == 1 and 'active' or 'admitted'
  redis.call('ZREM', admitted, fan)
  redis.call('HDEL', inside, fan)
  redis.call('HDEL', missed, fan)
  -- Never before an entry that an edge has read already, even if the clock stepped back.
  local newest = redis.call('ZREVRANGE', ended, 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', ended, math.max(now, tonumber(newest or '0')), fan .. pass)
  redis.call('HSET', fate, fan, reason .. ' ' .. pass)
  redis.call('HINCRBY', meta, 'ended', 1)
  return {'departed', was, tonumber(number), lane}
end
if meant ~= '' then return {'unknown'} end

local number = redis.call('ZSCORE', line, fan)
local index = tonumber(redis.call('ZSCORE', gather, fan) or '')
if index and index > WITHDRAWN then index = nil end
if not number and not index then return {'unknown'} end
if number then
  redis.call('ZREM', line, fan)
  redis.call('SETBIT', alive, number, 0)
  redis.call('SETBIT', spent, number, 1)
  redis.call('HDEL', missed, fan)
end
if index and redis.call('HGET', meta, 'phase') == 'drawing' then
  -- The list of a draw is fixed: who withdraws keeps an entry, and the number is spent.
  redis.call('ZADD', gather, index + WITHDRAWN, fan)
elseif index then
  -- An entry that was withdrawn before stays, wherever the fan joined since.
  redis.call('ZREM', gather, fan)
end
redis.call('HINCRBY', meta, 'left', 1)
if reason == 'revoked' then redis.call('HSET', fate, fan, reason) end
return {'departed', number and 'waiting' or 'gathering', tonumber(number or index), ''}
