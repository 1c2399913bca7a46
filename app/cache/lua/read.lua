-- Reads an entry, if its version counters have not changed since it was loaded; otherwise, or shortly before it
-- becomes stale, tries to acquire the load lock for the caller. Without entry and lock the caller waits for the
-- holder of the lock, to whose token a mark is appended.
-- KEYS: the entry, the lock, the version counters of the names that the entry depends on, and for pods that hold
-- entries in memory the sets of pods that hold entries of a name.
-- ARGV: the caller's token, lifetime of the lock (ms), ms before staleness from which the lock is acquired, number
-- of counters, ms for which the caller holds the entry (0: not at all), lifetime of a counter (ms).
-- Returns: data or false, ms until it is stale, ms until it expires, versions, 1 if the lock was acquired.
local versions = redis.call('MGET', unpack(KEYS, 3, 2 + ARGV[4]))
local known = true
for at = 1, #versions do
  known = known and versions[at] ~= false
  versions[at] = versions[at] or '-'
end
local current = table.concat(versions, ',')
local entry = redis.call('HMGET', KEYS[1], 'data', 'versions', 'stale_at')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local data, fresh_ms, left_ms = false, 0, 0
if known and entry[1] and entry[2] == current then
  data = entry[1]
  fresh_ms = entry[3] - now
  left_ms = redis.call('PTTL', KEYS[1])
  hold(3 + ARGV[4], ARGV[1], ARGV[5])
end
local load = 0
if fresh_ms <= tonumber(ARGV[3]) and redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  load = 1
  -- Created before the load, so that a counter that is evicted during it differs from the one read here.
  for at = 1, #versions do
    if versions[at] == '-' then
      versions[at] = initial_version()
      redis.call('SET', KEYS[at + 2], versions[at], 'PX', ARGV[6])
    end
  end
  current = table.concat(versions, ',')
elseif not data and redis.call('GETRANGE', KEYS[2], -1, -1) ~= '+' then
  redis.call('APPEND', KEYS[2], '+')
end
return {data, fresh_ms, left_ms, current, load}
