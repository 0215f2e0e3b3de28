-- opens with breaker
-- Do what an operator asks, and answer with the state.
-- ARGV  4 trip: open for its open time · isolate: open until reset · reset: closed, and nothing held against it

local order = ARGV[4]
local breaker = load_or_begin()
if order == 'trip' and breaker.isolated == 0 then
  open(breaker, 'tripped')
elseif order == 'isolate' and breaker.isolated == 0 then
  change(breaker, 'open', 'isolated')
  breaker.isolated = 1
elseif order == 'reset' then
  change(breaker, 'closed', 'reset')
  breaker.isolated, breaker.streak = 0, 0
end
save(breaker)
return answer(breaker)
