-- opens with breaker
-- Half-open the breaker if its time has come, and give out a permit if one is left. Answer with the state.

local breaker = load_or_begin()
local permit
if breaker.state == 'open' and breaker.isolated == 0 and now_us >= breaker.until_us then
  change(breaker, 'half_open', 'open_time_over')
end
if breaker.state == 'half_open' and places_left(breaker) > 0 then
  breaker.permits = breaker.permits + 1
  permit = whole(breaker.permits)
  local held = permits_in_hand(breaker)
  held[permit] = now_us + micros(policy.probe_seconds)
  hold(breaker, held)
  save(breaker)
end
return answer(breaker, permit)
