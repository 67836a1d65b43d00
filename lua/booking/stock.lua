-- Changes what is on sale while it is on sale: blocks and unblocks seats, sets
-- capacities of standing tiers. A seat that is held or booked stays so.
-- KEYS as in record.lua
-- ARGV 1 seats to block '1,2'  2 seats to unblock  3 capacities '0:500'
--      (at most 500 of each)
-- Returns {'stocked', seats that could not be blocked}.
local refused = fence(META)
if refused then
  return refused
end
reclaim(now_ms(META), 20)

-- Splits seats by whether their status is `status`.
local function by_status(seats, status)
  local are, others, call = {}, {}, { 'BITFIELD', SEATS }
  if #seats == 0 then
    return are, others
  end
  for at, seat in ipairs(seats) do
    call[3 * at], call[3 * at + 1], call[3 * at + 2] = 'GET', 'u2', '#' .. seat
  end
  for at, found in ipairs(redis.call(unpack(call))) do
    local into = found == status and are or others
    into[#into + 1] = seats[at]
  end
  return are, others
end

local free, busy = by_status(seat_list(ARGV[1]), 0)
local blocked = by_status(seat_list(ARGV[2]), 3)
mark(free, 3)
mark(blocked, 0)
for _, tier in ipairs(tier_list(ARGV[3])) do
  redis.call('HSET', TIERS, tier[1] .. ':cap', string.format('%d', tier[2]))
end
return { 'stocked', table.concat(busy, ',') }
