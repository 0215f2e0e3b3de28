-- opens with breaker
-- Take back a permit, with what its call came to, and answer with the state. One that has expired counts for nothing.
-- ARGV  4 its generation · 5 the permit · 6 success, failure or excluded · 7 whether the call was slow: 1 or 0

local generation, permit, outcome, slow = tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7] == '1'

local function judge(breaker)
  if outcome == 'failure' then return open(breaker, 'probe_failed') end
  if slow then return open(breaker, 'probe_slow') end
  breaker.succeeded = breaker.succeeded + 1
  if breaker.succeeded >= math.min(policy.successes, policy.probes) then change(breaker, 'closed', 'probes_succeeded') end
end

local breaker = load_or_begin()
local held = permits_in_hand(breaker)
if breaker.state == 'half_open' and breaker.generation == generation and held[permit] then
  held[permit] = nil
  hold(breaker, held)
  if outcome ~= 'excluded' then judge(breaker) end
  save(breaker)
end
return answer(breaker)
