-- Prepended to every other script in this folder: the version counters.
-- A counter may be missing because it expired or was evicted. An entry with a missing counter is never valid, and
-- a new counter starts at the server's clock in microseconds, a value that no earlier counter of that name had.
local function initial_version()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000000 + time[2])
end

-- Deletes a key that is set again. A Redis that is full and has nothing to evict refuses the first write of a script
-- if it can need memory, but no later one: an invalidation must not be refused because the queue fills Redis.
local function begin_writes(key)
  redis.call('DEL', key)
end

-- Invalidates the entries that depend on a counter.
local function invalidate(counter, lifetime_ms)
  local version = redis.call('GET', counter)
  begin_writes(counter)
  version = version and string.format('%.0f', version + 1) or initial_version()
  redis.call('SET', counter, version, 'PX', lifetime_ms)
end

-- Registers a pod in the sets from KEYS[first] on: it holds an entry in memory for some ms, and receives the
-- invalidations of that time.
local function hold(first, pod, ms)
  for at = first, #KEYS do
    redis.call('SADD', KEYS[at], pod)
    redis.call('PEXPIRE', KEYS[at], ms)
  end
end
