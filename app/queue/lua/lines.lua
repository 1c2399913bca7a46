-- Put in front of every other script here: the clock, the lines, and the dead letters.
-- KEYS[1] is the prefix of all keys. A line is the list of the waiting jobs of one owner and level; the owners
-- of a level that have a line take turns in a list of their own. Every step costs the same however long the
-- lines are, but for the sorted sets, where it is the logarithm.
local prefix = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Lets a job stand in its line, at the end or (`push` is LPUSH) at the front.
local function line_up(id, level, owner, push)
  redis.call('ZADD', prefix .. 'since:' .. level, now, id)
  if redis.call(push, prefix .. 'line:' .. level .. ':' .. owner, id) == 1 then
    redis.call(push, prefix .. 'owners:' .. level, owner)
  end
end

-- Wakes sleeping workers: they wait on this list. More tokens than workers would only make them look twice.
-- What is due sooner than a worker would look by itself wakes one too, so that it learns for how long to sleep.
local SOON_MS = 1000
local function ring(times)
  times = math.min(times, 64 - redis.call('LLEN', prefix .. 'wake'))
  for _ = 1, times do redis.call('LPUSH', prefix .. 'wake', 1) end
end

-- Puts a job to the dead letters, and forgets the oldest where there are too many or it is too long ago.
local MOST_DEAD, DEAD_MS = 10000, 14 * 24 * 3600 * 1000
local function bury(id, reason)
  local dead = prefix .. 'dead'
  redis.call('HSET', prefix .. 'job:' .. id, 'error', reason)
  redis.call('ZADD', dead, now, id)
  local old = redis.call('ZRANGEBYSCORE', dead, '-inf', now - DEAD_MS, 'LIMIT', 0, 10)
  if #old == 0 and redis.call('ZCARD', dead) > MOST_DEAD then old = redis.call('ZRANGE', dead, 0, 0) end
  for _, each in ipairs(old) do
    redis.call('ZREM', dead, each)
    redis.call('DEL', prefix .. 'job:' .. each)
  end
end
