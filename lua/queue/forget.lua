#!lua flags=allow-oom
-- Gives up the places of numbers that were absent longer than the grace.
-- KEYS 1 {e}:meta  2 line  3 alive  4 spent (of the lane)  5 {e}:leader  6 {e}:missed
-- ARGV 1 lease token  2.. numbers, at most 200
-- Returns {'forgot', fan, ...} or {'not_leader'}. A number without a fan (nobody came
--         back for it after a loss of Redis) is given up all the same.
local refused = fence(KEYS[1])
if refused then return refused end

if redis.call('GET', KEYS[5]) ~= ARGV[1] then return {'not_leader'} end
local result = {'forgot'}
for i = 2, #ARGV do
  local fan = redis.call('ZRANGEBYSCORE', KEYS[2], ARGV[i], ARGV[i])[1]
  if redis.call('SETBIT', KEYS[3], ARGV[i], 0) == 1 then
    redis.call('SETBIT', KEYS[4], ARGV[i], 1)
  end
  if fan then
    redis.call('ZREM', KEYS[2], fan)
    redis.call('HDEL', KEYS[6], fan)
    result[#result + 1] = fan
  end
end
redis.call('HINCRBY', KEYS[1], 'absent', #result - 1)
return result
