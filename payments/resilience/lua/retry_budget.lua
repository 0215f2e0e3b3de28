-- opens with retry_budget_window
-- Make one retry, if it stays within the share of the calls.
--
-- Who is refused gets a turn, so that thousands do not come back in vain every second: the turns lie as far apart as the
-- budget allows retries. A turn is a hint and no reservation, and is never further away than ARGV[5].
--
-- KEYS[1]  the budget
-- KEYS[2]  the end of the line of those who were refused, in µs
-- ARGV[1]  µs of a bucket
-- ARGV[2]  buckets of the ring: those of a window, and one for the end that is cut
-- ARGV[3]  the share of the calls
-- ARGV[4]  the retries that a window may hold without any call
-- ARGV[5]  the furthest turn, in µs from now
-- ARGV[6]  now in µs; tests only, otherwise the server's clock is asked
-- Returns  1: make it, it is counted; below 0: the budget is spent, and the turn comes in so many µs

local width, ring = tonumber(ARGV[1]), tonumber(ARGV[2])
local share, floor = tonumber(ARGV[3]), tonumber(ARGV[4])
local furthest, now = tonumber(ARGV[5]), now_us(ARGV[6])
local current = math.floor(now / width)
local calls, retries = window(current, ring)

local allowed = share * calls + floor
if retries + 1 > allowed then
  local slot = math.min(width * (ring - 1) / math.max(allowed, 0.001), furthest)
  local turn = math.max(tonumber(redis.call("GET", KEYS[2]) or 0), now) + slot
  if turn > now + furthest then
    return -furthest
  end
  redis.call("SET", KEYS[2], string.format("%.0f", turn), "PX", math.ceil(furthest / 1000))
  return -math.ceil(turn - now)
end
local calls_now, retries_now = counted(current, ring)
keep(current, ring, width, calls_now, retries_now + 1)
return 1
