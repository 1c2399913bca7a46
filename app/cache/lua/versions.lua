-- Prepended to every other script in this folder: the version counters.
-- A counter may be missing because it expired or was evicted. An entry with a missing counter is never valid, and
-- a new counter starts at the server's clock in microseconds, a value that no earlier counter of that name had.
local function initial_version()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000000 + time[2])
end

-- Invalidates the entries that depend on a counter.
local function invalidate(counter, lifetime_ms)
  if redis.call('EXISTS', counter) == 1 then
    redis.call('INCR', counter)
  else
    redis.call('SET', counter, initial_version())
  end
  redis.call('PEXPIRE', counter, lifetime_ms)
end
