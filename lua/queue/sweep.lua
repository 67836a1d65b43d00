#!lua flags=allow-oom
-- Puts fans who missed their claim back at their own number (the third miss is final),
-- ends sessions whose time is over, and forgets ends that no token outlives.
-- KEYS 1 {e}:meta  2 {e}:admitted  3 {e}:active  4 {e}:inside  5 {e}:ended  6 {e}:fate
--      7 {e}:missed  8.. line, alive, spent of each lane
-- ARGV 1 how many of each kind at most  2 how long an end is remembered (ms)  3.. lanes
-- Returns {'swept', put_back, fan, number, lane, reason, ...} with what ended for good:
--         reason expired or missed.
local MISSES_ALLOWED = 2
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local meta, admitted, active, inside, ended, fate, missed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local limit = ARGV[1]
local first_key_of = {}
for i = 3, #ARGV do
  first_key_of[ARGV[i]] = 8 + (i - 3) * 3
end

local result = {'swept', 0}
local newest = redis.call('ZREVRANGE', ended, 0, 0, 'WITHSCORES')[2]
-- Never before an entry that an edge has read already, even if the clock stepped back.
local ended_at = math.max(now, tonumber(newest or '0'))
local function finish(fan, pass, number, lane, reason)
  redis.call('HDEL', inside, fan)
  redis.call('HDEL', missed, fan)
  redis.call('ZADD', ended, ended_at, fan .. pass)
  redis.call('HSET', fate, fan, reason .. ' ' .. pass)
  for _, value in ipairs({fan, tonumber(number), lane, reason}) do
    result[#result + 1] = value
  end
end

for _, fan in ipairs(redis.call('ZRANGEBYSCORE', admitted, '-inf', now, 'LIMIT', 0, limit)) do
  local pass = redis.call('HGET', inside, fan) or ''
  local number, lane = string.match(pass, '^(%d+):(.*)$')
  redis.call('ZREM', admitted, fan)
  local misses = redis.call('HINCRBY', missed, fan, 1)
  local keys = first_key_of[lane or '']
  if keys and misses <= MISSES_ALLOWED then
    redis.call('HDEL', inside, fan)
    redis.call('ZADD', KEYS[keys], number, fan)
    redis.call('SETBIT', KEYS[keys + 1], number, 1)
    redis.call('SETBIT', KEYS[keys + 2], number, 0)
    result[2] = result[2] + 1
  else
    finish(fan, pass, number or '0', lane or '', 'missed')
  end
end
for _, fan in ipairs(redis.call('ZRANGEBYSCORE', active, '-inf', now, 'LIMIT', 0, limit)) do
  local pass = redis.call('HGET', inside, fan) or ''
  local number, lane = string.match(pass, '^(%d+):(.*)$')
  redis.call('ZREM', active, fan)
  finish(fan, pass, number or '0', lane or '', 'expired')
end
local final = (#result - 2) / 4
if final > 0 then redis.call('HINCRBY', meta, 'ended', final) end
if result[2] > 0 then redis.call('HINCRBY', meta, 'put_back', result[2]) end

local forget_before = now - tonumber(ARGV[2])
for _, member in ipairs(redis.call('ZRANGEBYSCORE', ended, '-inf', forget_before, 'LIMIT', 0, limit)) do
  local fan, pass = string.sub(member, 1, 16), string.sub(member, 17)
  redis.call('ZREM', ended, member)
  local last = redis.call('HGET', fate, fan)
  if last and string.match(last, '^%a+ (.*)$') == pass then redis.call('HDEL', fate, fan) end
end
return result
