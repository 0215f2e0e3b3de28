-- opens with now
-- Answer with how much of a limit's burst is spent, and change nothing.
--
-- KEYS[1]  the bucket
-- ARGV[1]  µs in which an empty bucket fills
-- ARGV[2]  now in µs; tests only, otherwise the server's clock is asked
-- Returns  the µs of the bucket that are spent, at most all of them

local full, now = tonumber(ARGV[1]), now_us(ARGV[2])
local spent = tonumber(redis.call("HGET", KEYS[1], "spent") or 0)
return math.floor(math.min(full, math.max(0, spent + full - now)))
