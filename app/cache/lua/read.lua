-- Reads an entry, if what it depends on has not changed since it was loaded; else may give the caller the
-- task of loading it.
-- KEYS: the entry, the lock, then the version counters of what the entry depends on.
-- ARGV: the caller's token, how long its task may take (ms), how early before going stale it may begin (ms).
-- Returns: data or false, ms until it is stale, ms until it is gone, versions, '1' when the task is the caller's.
local versions = redis.call('MGET', unpack(KEYS, 3))
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
end
local task = 0
if fresh_ms <= tonumber(ARGV[3]) and redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  task = 1
end
return {data, fresh_ms, left_ms, current, task}
