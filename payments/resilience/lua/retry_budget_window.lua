-- opens with now
-- The window of a retry budget: a ring of buckets, a field of the hash each, "<number> <calls> <retries>". The number is
-- that of a stretch of time; a field with another number than is asked for is from an earlier round and counts nothing.

-- Return the calls and the retries of the bucket `number`.
local function counted(number, ring)
  local kept = redis.call("HGET", KEYS[1], number % ring) or ""
  local known, calls, retries = string.match(kept, "^(%d+) (%d+) (%d+)$")
  if tonumber(known) ~= number then
    return 0, 0
  end
  return tonumber(calls), tonumber(retries)
end

-- Keep the calls and the retries of the bucket `number`, for one round of the ring.
local function keep(number, ring, width, calls, retries)
  redis.call("HSET", KEYS[1], number % ring, string.format("%.0f %.0f %.0f", number, calls, retries))
  redis.call("PEXPIRE", KEYS[1], math.ceil(ring * width / 1000))
end

-- Return the calls and the retries of the window that ends with the bucket `current`.
--
-- The bucket that the window's old end cuts through counts with its retries and not with its calls. So the window that
-- ends with a retry never holds more of them than the policy allows, and at most a bucket's worth less than it might.
local function window(current, ring)
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
  return calls, retries
end
