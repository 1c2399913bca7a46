-- Put in front of every other script here: the version counters.
-- A counter may be missing: it expired, or the server evicted it to make room. Then nothing is known of what
-- depends on it, so a missing counter never makes an entry valid; and a counter that is created begins at the
-- server's clock in microseconds, which no counter of that name has reached before.
local function started()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000000 + time[2])
end

-- Makes everything that depends on a counter invalid.
local function invalidate(counter, lifetime_ms)
  if redis.call('EXISTS', counter) == 1 then
    redis.call('INCR', counter)
  else
    redis.call('SET', counter, started())
  end
  redis.call('PEXPIRE', counter, lifetime_ms)
end
