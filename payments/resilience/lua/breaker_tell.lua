-- opens with breaker_window
-- Count what one process saw while the breaker was closed, open it if that is too much, and answer with the state.
-- ARGV  4 the generation in which it was seen · 5 calls · 6 failures · 7 slow calls
--       8 failures before the first success · 9 the most in a row · 10 those after the last success
--       11 µs since the first of these calls ended · 12 a number that stands for this process

local generation, calls, failures, slow = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local first, longest, last = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local age_us, process = tonumber(ARGV[11]), tonumber(ARGV[12])

-- Return the longest row of failures that this report ends, continues or holds; keep the row that is still going on.
-- Where another process had a success meanwhile it is no row of the fleet's: one process that is cut off from a service
-- must not take it from all the others. Then only the rate can open the breaker.
local function row_of_failures(breaker)
  local disputed = breaker.good_us > now_us - math.max(age_us, micros(policy.disputed_seconds)) and breaker.good_by ~= process
  if calls > failures then
    breaker.good_us = math.max(breaker.good_us, last == 0 and now_us or now_us - age_us)
    breaker.good_by = process
  end
  if disputed then
    breaker.consecutive = 0
    return 0
  end
  local row = breaker.consecutive + first
  breaker.consecutive = failures == calls and row or last
  return math.max(row, longest)
end

local function reason_to_open(row, sum)
  if row >= policy.consecutive_failures then return 'consecutive_failures' end
  if sum.calls < policy.minimum_volume then return nil end
  if sum.failures >= policy.failure_rate * sum.calls then return 'failure_rate' end
  if policy.slow_rate > 0 and sum.slow >= policy.slow_rate * sum.calls then return 'slow_rate' end
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
