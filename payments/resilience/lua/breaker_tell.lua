-- opens with breaker_window
-- Count what one process saw while the breaker was closed, open it if that is too much, and answer with the state.
-- ARGV  4 the generation in which it was seen · 5 calls · 6 failures · 7 slow calls
--       8 failures before the first success · 9 the most in a row · 10 those after the last success

local generation, calls, failures, slow = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local first, longest, last = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

-- Return the longest row of failures that this report ends, continues or holds; keep the row that is still going on.
local function row_of_failures(breaker)
  local row = breaker.consecutive + first
  breaker.consecutive = failures == calls and row or last
  return math.max(row, longest)
end

local function reason_to_open(row, sum)
  if row >= policy.consecutive_failures then return 'consecutive_failures' end
  if sum.calls < policy.minimum_volume then return nil end
  if sum.failures >= policy.failure_rate * sum.calls then return 'failure_rate' end
  if sum.slow >= policy.slow_rate * sum.calls then return 'slow_rate' end
  return nil
end

local breaker = load_or_begin()
if calls > 0 and breaker.state == 'closed' and breaker.generation == generation then
  count(breaker, calls, failures, slow)
  local reason = reason_to_open(row_of_failures(breaker), seen(breaker))
  if reason then open(breaker, reason) end
  save(breaker)
end
return answer(breaker)
