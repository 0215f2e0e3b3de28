-- opens with breaker
-- The calls of the last `window_seconds`, in buckets: `number:calls:failures:slow`, one after the other in one text.

local bucket_us = math.max(1, micros(policy.window_seconds / policy.buckets))
local bucket_now = math.floor(now_us / bucket_us)

local function live_buckets(breaker)
  local live = {}
  for number, calls, failures, slow in breaker.window:gmatch('(%d+):(%d+):(%d+):(%d+)') do
    if tonumber(number) > bucket_now - policy.buckets then
      live[#live + 1] = {tonumber(number), tonumber(calls), tonumber(failures), tonumber(slow)}
    end
  end
  return live
end

local function seen(breaker)
  local sum = {calls = 0, failures = 0, slow = 0}
  for _, bucket in ipairs(live_buckets(breaker)) do
    sum.calls, sum.failures, sum.slow = sum.calls + bucket[2], sum.failures + bucket[3], sum.slow + bucket[4]
  end
  return sum
end

local function count(breaker, calls, failures, slow)
  local live = live_buckets(breaker)
  local last = live[#live]
  if last == nil or last[1] ~= bucket_now then
    last = {bucket_now, 0, 0, 0}
    live[#live + 1] = last
  end
  last[2], last[3], last[4] = last[2] + calls, last[3] + failures, last[4] + slow
  local told = {}
  for _, bucket in ipairs(live) do
    told[#told + 1] = string.format('%.0f:%.0f:%.0f:%.0f', unpack(bucket))
  end
  breaker.window = table.concat(told, ' ')
end
