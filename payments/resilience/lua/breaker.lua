-- One breaker as the fleet shares it: how its state is read, changed, told of and kept. Its scripts open with this.
-- The rules are those of payments/resilience/local_breaker.py, and one set of tests holds both to them.
--
-- KEYS  1 the breaker's hash · 2 the stream of state changes, and the channel of the same name · 3 the set of all names
-- ARGV  1 its name · 2 its policy, as JSON · 3 the time, in tests only; empty: Redis' own
--
-- Every time is a whole number of microseconds. Lua keeps it exactly, but would write it in 14 digits: see `whole`.

local SECOND = 1000000
local KEPT_CHANGES = 1000
local NUMBERS = {
  'generation', 'since_us', 'until_us', 'good_us', 'good_by', 'streak', 'isolated', 'consecutive', 'succeeded', 'permits'
}

local name = ARGV[1]
local policy = cjson.decode(ARGV[2])

local function clock_us()
  if ARGV[3] ~= '' then return tonumber(ARGV[3]) end
  local time = redis.call('TIME')
  return time[1] * SECOND + time[2]
end

local now_us = clock_us()

local function whole(number) return string.format('%.0f', number) end
local function micros(seconds) return math.floor(seconds * SECOND + 0.5) end

local function load()
  local told = redis.call('HMGET', KEYS[1], 'state', 'window', 'probes', unpack(NUMBERS))
  local breaker = {state = told[1] or 'closed', window = told[2] or '', probes = told[3] or '', change = {}}
  for place, field in ipairs(NUMBERS) do breaker[field] = tonumber(told[place + 3] or 0) end
  return breaker
end

local function save(breaker)
  local told = {'state', breaker.state, 'window', breaker.window, 'probes', breaker.probes}
  for _, field in ipairs(NUMBERS) do
    told[#told + 1] = field
    told[#told + 1] = whole(breaker[field])
  end
  redis.call('HSET', KEYS[1], unpack(told))
end

-- One that Redis has never heard of, or has forgotten, begins closed, in a generation that no process can have seen.
local function load_or_begin()
  local breaker = load()
  if breaker.generation == 0 then
    breaker.generation, breaker.since_us = now_us, now_us
    save(breaker)
    redis.call('SADD', KEYS[3], name)
  end
  return breaker
end

-- The generation is the time, so that it is new even after Redis has forgotten all earlier ones.
local function change(breaker, to, reason)
  breaker.change = {breaker.state, to, reason}
  breaker.generation = math.max(breaker.generation + 1, now_us)
  breaker.state, breaker.since_us, breaker.until_us = to, now_us, 0
  breaker.window, breaker.probes = '', ''
  breaker.consecutive, breaker.succeeded, breaker.permits = 0, 0, 0
  breaker.good_us, breaker.good_by = 0, 0
  redis.call('HINCRBY', KEYS[1], 'to:' .. to, 1)
  local event = {
    name = name, from = breaker.change[1], to = to, reason = reason,
    generation = whole(breaker.generation), at = string.format('%.6f', now_us / SECOND)
  }
  local fields = {}
  for field, value in pairs(event) do
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', KEPT_CHANGES, '*', unpack(fields))
  redis.call('PUBLISH', KEYS[2], cjson.encode(event))
end

-- Each opening in a row lasts longer. The row ends with a whole window in the closed state.
local function open(breaker, reason)
  local well_us = now_us - breaker.since_us
  if breaker.state == 'closed' and well_us >= micros(policy.window_seconds) then breaker.streak = 0 end
  breaker.streak = breaker.streak + 1
  change(breaker, 'open', reason)
  local growth = policy.open_factor ^ math.min(breaker.streak - 1, 64)
  breaker.until_us = now_us + micros(math.min(policy.open_cap_seconds, policy.open_seconds * growth))
end

-- The permits in hand, each with the time at which it expires; those that have expired are gone.
local function permits_in_hand(breaker)
  local held, count = {}, 0
  for permit, expiry in breaker.probes:gmatch('(%d+)=(%d+)') do
    if tonumber(expiry) > now_us then
      held[permit] = tonumber(expiry)
      count = count + 1
    end
  end
  return held, count
end

local function hold(breaker, held)
  local told = {}
  for permit, expiry in pairs(held) do told[#told + 1] = permit .. '=' .. whole(expiry) end
  breaker.probes = table.concat(told, ' ')
end

-- What was let through and went well keeps its place: no more than `probes` calls go out before the state changes.
local function places_left(breaker)
  local _, count = permits_in_hand(breaker)
  return policy.probes - breaker.succeeded - count
end

-- How long there is no sense in asking for a permit.
local function wait_us(breaker)
  if breaker.state == 'closed' then return 0 end
  if breaker.isolated == 1 then return micros(policy.open_seconds) end
  if breaker.state == 'open' then return math.max(0, breaker.until_us - now_us) end
  if places_left(breaker) > 0 then return 0 end
  local soonest_us = now_us + SECOND
  for _, expiry in pairs((permits_in_hand(breaker))) do soonest_us = math.min(soonest_us, expiry) end
  return soonest_us - now_us
end

local function answer(breaker, permit)
  return {breaker.state, breaker.generation, wait_us(breaker), breaker.isolated, permit or '', breaker.change}
end
