-- Adds jobs whose id does not exist yet.
-- ARGV[1] maximum number of waiting jobs; then per job: id, kind, body, owner, priority, delay (ms),
-- timeout (ms; 0 disables expiry).
-- Returns for each job: 1 added, 0 exists already, -1 the queue is full.
local limit = tonumber(ARGV[1])
local waiting = redis.call('ZCARD', prefix .. 'delayed')
for level = 0, 2 do
  waiting = waiting + redis.call('ZCARD', prefix .. 'since:' .. level)
end
local results = {}
local ready = 0
for at = 2, #ARGV, 7 do
  local id, owner, level, delay = ARGV[at], ARGV[at + 3], ARGV[at + 4], tonumber(ARGV[at + 5])
  local job, timeout = prefix .. 'job:' .. id, tonumber(ARGV[at + 6])
  if redis.call('EXISTS', job) == 1 then
    results[#results + 1] = 0
  elseif waiting >= limit then
    results[#results + 1] = -1
  else
    redis.call('HSET', job, 'kind', ARGV[at + 1], 'body', ARGV[at + 2], 'owner', owner, 'level', level,
      'attempt', 0, 'fence', 0, 'until', timeout > 0 and now + timeout or 0)
    redis.call('DEL', prefix .. 'result:' .. id)
    if delay > 0 then
      redis.call('ZADD', prefix .. 'delayed', now + delay, id)
      ready = ready + (delay < SOON_MS and 1 or 0)
    else
      add_waiting(id, level, owner, 'RPUSH')
      ready = ready + 1
    end
    waiting = waiting + 1
    results[#results + 1] = 1
  end
end
wake(ready)
return results
