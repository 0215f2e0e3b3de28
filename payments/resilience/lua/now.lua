-- Time for all scripts: this server's, so that the clocks of the fleet's machines do not matter.

-- Return the µs since 1970. `given` is an argument that only tests give.
local function now_us(given)
  if given then
    return tonumber(given)
  end
  local time = redis.call("TIME")
  return time[1] * 1000000 + time[2]
end
