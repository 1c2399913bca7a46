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

-- Registers a pod in the sets from KEYS[first] on: it holds an entry in memory for some ms, and receives the
-- invalidations of that time.
local function hold(first, pod, ms)
  for at = first, #KEYS do
    redis.call('SADD', KEYS[at], pod)
    redis.call('PEXPIRE', KEYS[at], ms)
  end
end
