-- opens with now
-- Tell which providers have asked for a pause. For those without a limit, where nobody asks for a token.
--
-- KEYS     the buckets, see rate_limit.lua
-- ARGV[1]  now in µs; tests only, otherwise the server's clock is asked
-- Returns  the µs that each pause still lasts, 0: none

local now = now_us(ARGV[1])
local left = {}
for place, key in ipairs(KEYS) do
  left[place] = math.max(0, (tonumber(redis.call("HGET", key, "spent")) or 0) - now)
end
return left
