-- Adds jobs that are not there yet.
-- KEYS[1] prefix. ARGV[1] most jobs that may wait; then for each job: id, kind, body, owner, priority, delay (ms).
-- Returns for each job: 1 added, 0 it was there already, -1 the queue is full.
local prefix = KEYS[1]
local limit = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local waiting = redis.call('ZCARD', prefix .. 'delayed')
for level = 0, 2 do
  waiting = waiting + redis.call('ZCARD', prefix .. 'since:' .. level)
end
local results = {}
local ready = 0
for at = 2, #ARGV, 6 do
  local id, owner, level, delay = ARGV[at], ARGV[at + 3], ARGV[at + 4], tonumber(ARGV[at + 5])
  local job = prefix .. 'job:' .. id
  if redis.call('EXISTS', job) == 1 then
    results[#results + 1] = 0
  elseif waiting >= limit then
    results[#results + 1] = -1
  else
    redis.call('HSET', job, 'kind', ARGV[at + 1], 'body', ARGV[at + 2], 'owner', owner, 'level', level,
      'attempt', 0, 'fence', 0)
    if delay > 0 then
      redis.call('ZADD', prefix .. 'delayed', now + delay, id)
    else
      redis.call('ZADD', prefix .. 'since:' .. level, now, id)
      local line = prefix .. 'line:' .. level .. ':' .. owner
      if redis.call('RPUSH', line, id) == 1 then
        redis.call('RPUSH', prefix .. 'owners:' .. level, owner)
      end
      ready = ready + 1
    end
    waiting = waiting + 1
    results[#results + 1] = 1
  end
end
-- Sleeping workers wait on this list; more tokens than workers would only make them look twice.
local tokens = redis.call('LLEN', prefix .. 'wake')
for _ = 1, math.min(ready, 64 - tokens) do
  redis.call('LPUSH', prefix .. 'wake', 1)
end
return results
