-- Stores a loaded entry, unless one of its version counters changed or was evicted during the load; then releases the
-- load lock and publishes the end of the load if a pod waits for it.
-- KEYS: the entry, the lock, the version counters, then the sets of pods that hold entries of a name.
-- ARGV: token, versions before the load, data, ms until stale, ms until expiry, channel, message, number of counters,
-- ms for which the caller holds the entry (0: not at all). With an empty string for the versions the load has failed
-- and only the lock is released.
-- Returns 1 if the entry was stored, 0 if it was invalidated, and -1 if that is unknown because a counter is missing.
local stored = 0
if ARGV[2] ~= '' then
  local versions = redis.call('MGET', unpack(KEYS, 3, 2 + ARGV[8]))
  for at = 1, #versions do
    if not versions[at] then stored = -1 end
  end
  if stored == 0 and table.concat(versions, ',') == ARGV[2] then
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', KEYS[1], 'data', ARGV[3], 'versions', ARGV[2], 'stale_at', now + ARGV[4])
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    hold(3 + ARGV[8], ARGV[1], ARGV[9])
    stored = 1
  end
end
local lock = redis.call('GET', KEYS[2])
local awaited = lock == ARGV[1] .. '+'
if awaited or lock == ARGV[1] then
  redis.call('DEL', KEYS[2])
  if awaited then redis.call('PUBLISH', ARGV[6], ARGV[7]) end
end
return stored
