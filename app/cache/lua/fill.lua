-- Keeps a loaded entry, unless something it depends on was invalidated while it was being loaded, and lets
-- the others know that the task is over.
-- KEYS: the entry, the lock, then the version counters.
-- ARGV: token, versions as they were before loading, data, ms until stale, ms until gone, channel, message;
-- without data (an empty string for the versions) the task has failed, and only the lock is given back.
-- Returns 1 when the entry was kept.
local kept = 0
if ARGV[2] ~= '' then
  local versions = redis.call('MGET', unpack(KEYS, 3))
  for at = 1, #versions do versions[at] = versions[at] or '0' end
  if table.concat(versions, ',') == ARGV[2] then
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', KEYS[1], 'data', ARGV[3], 'versions', ARGV[2], 'stale_at', now + ARGV[4])
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    kept = 1
  end
end
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
  redis.call('PUBLISH', ARGV[6], ARGV[7])
end
return kept
