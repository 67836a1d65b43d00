#!lua
-- Part of who is inside, for the checkpoint. Reads only.
-- KEYS 1 {e}:meta  2 {e}:active or {e}:admitted  3 {e}:inside
-- ARGV 1 first rank  2 last rank
-- Returns {fan, until, number, lane, fan, ...}.
local refused = fence(KEYS[1])
if refused then return refused end
local flat = redis.call('ZRANGE', KEYS[2], ARGV[1], ARGV[2], 'WITHSCORES')
local result = {}
for i = 1, #flat, 2 do
  local number, lane = string.match(redis.call('HGET', KEYS[3], flat[i]) or '', '^(%d+):(.*)$')
  if number then
    for _, value in ipairs({flat[i], tonumber(flat[i + 1]), tonumber(number), lane}) do
      result[#result + 1] = value
    end
  end
end
return result
