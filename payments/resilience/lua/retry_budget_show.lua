-- opens with retry_budget_window
-- Answer with what a budget's window holds, and change nothing.
--
-- KEYS[1]  the budget
-- ARGV[1]  µs of a bucket
-- ARGV[2]  buckets of the ring
-- ARGV[3]  now in µs; tests only, otherwise the server's clock is asked
-- Returns  calls, retries

local width, ring, now = tonumber(ARGV[1]), tonumber(ARGV[2]), now_us(ARGV[3])
local current = math.floor(now / width)
return { window(current, ring) }
