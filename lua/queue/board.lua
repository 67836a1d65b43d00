#!lua
-- Everything an edge or a leader needs about an event, once a tick. Reads only.
-- KEYS 1 {e}:meta  2 {e}:admitted  3 {e}:active
--      4.. line, gather, alive, next of each lane
-- Returns {now, meta as field/value list, admitted, active, lane...} with each lane as
--         {standing, gathering, last number, first byte, alive bits from that byte on}.
local WORD_BYTES = 8
local refused = fence(KEYS[1])
if refused then return refused end
local now = now_ms(KEYS[1])

local board = {
  now,
  redis.call('HGETALL', KEYS[1]),
  redis.call('ZCARD', KEYS[2]),
  redis.call('ZCARD', KEYS[3]),
}
for i = 4, #KEYS, 4 do
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
