-- opens with now
-- Let nobody take a token for a while, because the provider asks for it.
--
-- A pause is time spent in advance. At its end the bucket is empty and begins to fill, so that the provider is not met
-- by a burst the moment it allows calls again.
--
-- KEYS[1]  the bucket, see rate_limit.lua
-- ARGV[1]  the pause in µs
-- ARGV[2]  the µs in which the bucket fills, 0 where there is no limit
-- ARGV[3]  now in µs; tests only, otherwise the server's clock is asked

local KEPT_US = 60 * 1000000

local now = now_us(ARGV[3])
local spent = tonumber(redis.call("HGET", KEYS[1], "spent")) or 0
local tail = tonumber(redis.call("HGET", KEYS[1], "tail")) or 0

spent = math.max(spent, now + tonumber(ARGV[1]))
redis.call("HSET", KEYS[1], "spent", spent)
redis.call("PEXPIRE", KEYS[1], math.ceil((math.max(spent + tonumber(ARGV[2]), tail) - now + KEPT_US) / 1000))
return spent - now
