-- opens with retry_budget_window
-- Count calls that were no retries.
--
-- They were made since a while ago, and stand in the bucket of the first of them. So they leave the window early rather
-- than late; what has left it already is not counted at all.
--
-- KEYS[1]  the budget
-- ARGV[1]  µs of a bucket
-- ARGV[2]  buckets of the ring
-- ARGV[3]  calls
-- ARGV[4]  µs since the first of them
-- ARGV[5]  now in µs; tests only, otherwise the server's clock is asked
-- Returns  1: counted; 0: too old

local width, ring = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_us(ARGV[5])
local number = math.floor((now - tonumber(ARGV[4])) / width)
if number <= math.floor(now / width) - ring then
  return 0
end

local calls, retries = counted(number, ring)
keep(number, ring, width, calls + tonumber(ARGV[3]), retries)
return 1
