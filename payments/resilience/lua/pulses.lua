-- opens with now
-- Answer with the sign of every process, and forget those that gave none for too long.
--
-- KEYS[1]  a hash: one field a process, "<µs since 1970> <sign>"
-- ARGV[1]  µs without a sign after which a process is forgotten
-- ARGV[2]  now in µs; tests only, otherwise the server's clock is asked
-- Returns  pairs: µs since the sign came, the sign

local now = now_us(ARGV[2])
local told = redis.call("HGETALL", KEYS[1])
local answer = {}
for place = 1, #told, 2 do
  local stamp, sign = string.match(told[place + 1], "^(%d+) (.*)$")
  if stamp == nil or now - stamp > tonumber(ARGV[1]) then
    redis.call("HDEL", KEYS[1], told[place])
  else
    answer[#answer + 1] = math.floor(math.max(0, now - stamp))
    answer[#answer + 1] = sign
  end
end
return answer
