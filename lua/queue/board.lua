#!lua
-- Everything an edge or a leader needs about an event, once a tick. Reads only.
-- KEYS 1 {e}:meta  2 {e}:admitted  3 {e}:active  4 {e}:ended  5 {e}:moved
--      6.. line, gather, alive, next of each lane
-- ARGV 1, 2 cursors: ends and moves from these times on (ms) are wanted  3 at most so many
-- Returns {now, meta as field/value list, admitted, active, ends, moves, lane...} with
--         ends and moves as member/score lists, and each lane as
--         {waiting, gathering, last number, first byte, alive bits from that byte on}.
local WORD_BYTES = 8
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local function since(key, from)
  return redis.call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
end

local board = {
  now,
  redis.call('HGETALL', KEYS[1]),
  redis.call('ZCARD', KEYS[2]),
  redis.call('ZCARD', KEYS[3]),
  since(KEYS[4], ARGV[1]),
  since(KEYS[5], ARGV[2]),
}
for i = 6, #KEYS, 4 do
  local head = redis.call('BITPOS', KEYS[i + 2], 1)
  local first_byte, bits = 0, ''
  if head >= 0 then
    first_byte = math.floor(head / 8 / WORD_BYTES) * WORD_BYTES
    bits = redis.call('GETRANGE', KEYS[i + 2], first_byte, -1)
  end
  board[#board + 1] = {
    redis.call('ZCARD', KEYS[i]),
    redis.call('ZCARD', KEYS[i + 1]),
    tonumber(redis.call('GET', KEYS[i + 3]) or '0'),
    first_byte,
    bits,
  }
end
return board
