-- Prepended to every other script in this folder: the clock, the waiting lists and the dead letters.
-- KEYS[1] is the prefix of all keys. `line:LEVEL:OWNER` is the list of waiting jobs of one owner and priority
-- level; `owners:LEVEL` is the list of owners with waiting jobs, served in turn. List operations are O(1),
-- operations on sorted sets O(log n).
local prefix = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Adds a job to the waiting list of its owner: at the end (`push` is RPUSH) or at the front (LPUSH).
local function add_waiting(id, level, owner, push)
  redis.call('ZADD', prefix .. 'since:' .. level, now, id)
  if redis.call(push, prefix .. 'line:' .. level .. ':' .. owner, id) == 1 then
    redis.call(push, prefix .. 'owners:' .. level, owner)
  end
end

-- Wakes idle workers, which block on the list `wake`; at most 64 tokens, since spare ones cause needless polls.
-- A job due before the next poll (SOON_MS) wakes a worker too, so that it adjusts its sleep.
local SOON_MS = 1000
local function wake(times)
  times = math.min(times, 64 - redis.call('LLEN', prefix .. 'wake'))
  for _ = 1, times do redis.call('LPUSH', prefix .. 'wake', 1) end
end

-- Dead-letters a job; deletes the oldest dead letters above MAX_DEAD or older than DEAD_MS.
local MAX_DEAD, DEAD_MS = 10000, 14 * 24 * 3600 * 1000
local function dead_letter(id, reason)
  local dead = prefix .. 'dead'
  redis.call('HSET', prefix .. 'job:' .. id, 'error', reason)
  redis.call('ZADD', dead, now, id)
  local old = redis.call('ZRANGEBYSCORE', dead, '-inf', now - DEAD_MS, 'LIMIT', 0, 10)
  if #old == 0 and redis.call('ZCARD', dead) > MAX_DEAD then old = redis.call('ZRANGE', dead, 0, 0) end
  for _, each in ipairs(old) do
    redis.call('ZREM', dead, each)
    redis.call('DEL', prefix .. 'job:' .. each)
  end
end
