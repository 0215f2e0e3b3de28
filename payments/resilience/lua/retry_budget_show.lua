-- opens with now
-- Answer with what a budget's window holds, as `retry_budget.lua` counts it, and change nothing.
--
-- KEYS[1]  the budget
-- ARGV[1]  µs of a bucket
-- ARGV[2]  buckets of the ring
-- ARGV[3]  now in µs; tests only, otherwise the server's clock is asked
-- Returns  calls, retries

local width, ring, now = tonumber(ARGV[1]), tonumber(ARGV[2]), now_us(ARGV[3])
local current = math.floor(now / width)
local cut = current - ring + 1
local calls, retries = 0, 0
for _, kept in ipairs(redis.call("HVALS", KEYS[1])) do
  local number, calls_there, retries_there = string.match(kept, "^(%d+) (%d+) (%d+)$")
  number = tonumber(number)
  if number >= cut and number <= current then
    retries = retries + retries_there
  end
  if number > cut and number <= current then
    calls = calls + calls_there
  end
end
return { calls, retries }
