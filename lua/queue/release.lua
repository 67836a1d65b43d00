#!lua flags=allow-oom
-- Admits a batch of numbers: line -> admitted. Repeating a sequence returns its stored result.
-- KEYS 1 {e}:meta  2 line  3 alive  4 spent (of the lane)  5 {e}:admitted  6 {e}:inside
--      7 {e}:leader  8 {e}:released
-- ARGV 1 lease token  2 sequence, above every earlier one  3 lane
--      4 when the presence snapshot was taken (ms, Redis's clock)
--      5.. numbers, ascending, at most 200
-- Returns {'released', claim_by, number, fan, number, fan, ...} (numbers whose fan is
--         gone are skipped), or {'not_leader'}, {'old_sequence'}, {'not_open'},
--         {'paused'}, {'settling'}, {'stale_snapshot'}, {'unordered'}.
-- Steps: leader? repeat? open, not paused, not just rebuilt, snapshot young, numbers
--        ascending? Look every number's fan up; then move all of them.
local MAX_SNAPSHOT_AGE_MS = 3000
local MAX_NUMBERS = 200
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local meta, line, alive, spent, admitted, inside = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local seq, lane = tonumber(ARGV[2]), ARGV[3]
if redis.call('GET', KEYS[7]) ~= ARGV[1] then return {'not_leader'} end
local set = redis.call('HMGET', meta, 'release_seq', 'phase', 'mode', 'settle_until', 'claim_ms', 'released')
local last_seq = tonumber(set[1] or '0')
if seq == last_seq then return cmsgpack.unpack(redis.call('GET', KEYS[8])) end
if seq < last_seq then return {'old_sequence'} end
if set[2] ~= 'open' then return {'not_open'} end
if set[3] == 'paused' then return {'paused'} end
if now < tonumber(set[4] or '0') then return {'settling'} end
if now - tonumber(ARGV[4]) > MAX_SNAPSHOT_AGE_MS then return {'stale_snapshot'} end
local before = 0
for i = 5, #ARGV do
  local number = tonumber(ARGV[i])
  if number <= before then return {'unordered'} end
  before = number
end
if #ARGV - 4 > MAX_NUMBERS then return {'unordered'} end

local claim_by = now + tonumber(set[5])
local result = {'released', claim_by}
local fans, passes, deadlines, alive_bits, spent_bits = {}, {}, {}, {}, {}
for i = 5, #ARGV do
  local number = ARGV[i]
  local fan = redis.call('ZRANGEBYSCORE', line, number, number)[1]
  if fan then
    alive_bits[#alive_bits + 1] = 'SET'
    alive_bits[#alive_bits + 1] = 'u1'
    alive_bits[#alive_bits + 1] = number
    alive_bits[#alive_bits + 1] = 0
    spent_bits[#spent_bits + 1] = 'SET'
    spent_bits[#spent_bits + 1] = 'u1'
    spent_bits[#spent_bits + 1] = number
    spent_bits[#spent_bits + 1] = 1
    passes[#passes + 1] = fan
    passes[#passes + 1] = number .. ':' .. lane
    deadlines[#deadlines + 1] = claim_by
    deadlines[#deadlines + 1] = fan
    fans[#fans + 1] = fan
    result[#result + 1] = tonumber(number)
    result[#result + 1] = fan
  end
end

if #fans > 0 then
  redis.call('BITFIELD', alive, unpack(alive_bits))
  redis.call('BITFIELD', spent, unpack(spent_bits))
  redis.call('HSET', inside, unpack(passes))
  redis.call('ZADD', admitted, unpack(deadlines))
  redis.call('ZREM', line, unpack(fans))
end
redis.call('HSET', meta, 'release_seq', ARGV[2], 'released', tonumber(set[6] or '0') + #fans)
redis.call('SET', KEYS[8], cmsgpack.pack(result))
return result
