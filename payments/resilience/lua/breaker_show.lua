-- opens with breaker_window
-- Answer with all that is known of a breaker, and change nothing.

local breaker = load()
local sum = seen(breaker)
local _, in_hand = permits_in_hand(breaker)
return {
  breaker.state, breaker.generation, wait_us(breaker), breaker.isolated,
  sum.calls, sum.failures, sum.slow, breaker.consecutive,
  tonumber(redis.call('HGET', KEYS[1], 'to:open') or 0), breaker.streak, in_hand, breaker.succeeded
}
