-- Changes what is on sale while it is on sale: blocks and unblocks seats, sets
-- capacities of standing tiers. A seat that is held or booked stays so.
-- KEYS as in record.lua
-- ARGV 1 seats to block '1,2'  2 seats to unblock  3 capacities '0:500'
--      (at most 500 of each)
-- Returns {'stocked', seats that could not be blocked yet}: ask again later.
local refused = fence(META)
if refused then
  return refused
end
reclaim(now_ms(META), 20)

-- The seats of status free (0), held or booked, and blocked (3).
local function by_status(seats)
  local free, busy, blocked, call = {}, {}, {}, { 'BITFIELD', SEATS }
  if #seats == 0 then
    return free, busy, blocked
  end
  for at, seat in ipairs(seats) do
    call[3 * at], call[3 * at + 1], call[3 * at + 2] = 'GET', 'u2', '#' .. seat
  end
  for at, found in ipairs(redis.call(unpack(call))) do
    local into = found == 0 and free or found == 3 and blocked or busy
    into[#into + 1] = seats[at]
  end
  return free, busy, blocked
end

local free, busy = by_status(seat_list(ARGV[1]))
local _, _, blocked = by_status(seat_list(ARGV[2]))
mark(free, 3)
mark(blocked, 0)
for _, tier in ipairs(tier_list(ARGV[3])) do
  redis.call('HSET', TIERS, tier[1] .. ':cap', string.format('%d', tier[2]))
end
return { 'stocked', table.concat(busy, ',') }
