-- opens with now
-- Take one token of a limit, or learn when to come back.
--
-- A token is a stretch of time, slot_us long, that nobody has spent yet. All time up to `spent` is spent; between it and
-- now lie the tokens, at most `burst` of them. A call spends the oldest one. Since `spent` moves by a whole slot for
-- each call, begins a window of T at most burst slots before it and never passes now, no window of T holds more than
-- burst + T / slot_us calls.
--
-- Who finds no token gets a turn: `tail` is the latest turn given, and the next one is a slot later. A turn keeps no
-- token back, it only says when one more would be free if all before came as told; so those refused come back one by
-- one at the rate of the limit. A provider never stands idle for the sake of turns, since whoever comes and finds a
-- token takes it.
--
-- Some never come: their worker died, or a breaker keeps them away. If the bucket has then stood full for a second and a
-- slot (the second is what a countdown may be late), those ahead in the line are not coming, and the line begins anew.
-- Otherwise a newcomer would be sent behind turns that nobody uses.
--
-- KEYS[1]  a hash: spent, tail; both in µs since 1970 on this server's clock
-- ARGV[1]  slot_us
-- ARGV[2]  burst
-- ARGV[3]  µs since the caller last heard of this bucket, -1: never. Where the bucket is gone it had at least nothing
--          then, so it holds no more than what has come in since: a wiped server gives no second burst.
-- ARGV[4]  now in µs; tests only, otherwise the server's clock is asked
-- Returns  0: taken; otherwise the µs until the caller's turn

local FURTHEST_US = 600 * 1000000 -- turns further away are not kept apart
local LATE_US = 1000000
local KEPT_US = 60 * 1000000

local slot, burst, heard = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now_us(ARGV[4])
local full = slot * burst

local state = redis.call("HMGET", KEYS[1], "spent", "tail")
local spent = tonumber(state[1]) or now - (heard < 0 and full or math.min(heard, full))
local tail = tonumber(state[2]) or 0

if now - (spent + full) > slot + LATE_US then
  tail = 0
end
spent = math.max(spent, now - full)

local wait = 0
if spent + slot <= now then
  spent = spent + slot
else
  tail = math.min(math.max(tail, spent) + slot, now + FURTHEST_US)
  wait = tail - now
end

redis.call("HSET", KEYS[1], "spent", spent, "tail", tail)
redis.call("PEXPIRE", KEYS[1], math.ceil((math.max(spent + full, tail) - now + KEPT_US) / 1000))
return wait
