-- Ends leases. A lease that was taken over since (its fence is no longer the job's) is left alone.
-- KEYS[1] prefix. ARGV, for each lease: id, fence, outcome ('done', 'retry', 'later', 'dead', 'back'), delay (ms), error.
-- Returns for each lease: 1 settled, 0 it was not held any more.
local prefix = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local results = {}
for at = 1, #ARGV, 5 do
  local id, fence, outcome = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local job = prefix .. 'job:' .. id
  local held = redis.call('HMGET', job, 'fence', 'level', 'owner')
  if held[1] ~= fence or redis.call('ZREM', prefix .. 'leased', id) == 0 then
    results[#results + 1] = 0
  else
    if outcome == 'done' then
      redis.call('DEL', job)
    elseif outcome == 'retry' or outcome == 'later' then
      if outcome == 'later' then redis.call('HINCRBY', job, 'attempt', -1) end
      redis.call('HSET', job, 'error', ARGV[at + 4])
      redis.call('ZADD', prefix .. 'delayed', now + tonumber(ARGV[at + 3]), id)
    elseif outcome == 'dead' then
      redis.call('HSET', job, 'error', ARGV[at + 4])
      redis.call('ZADD', prefix .. 'dead', now, id)
    else
      -- Handed back unfinished: to the front of its line, and the attempt does not count.
      redis.call('HINCRBY', job, 'attempt', -1)
      redis.call('ZADD', prefix .. 'since:' .. held[2], now, id)
      if redis.call('LPUSH', prefix .. 'line:' .. held[2] .. ':' .. held[3], id) == 1 then
        redis.call('LPUSH', prefix .. 'owners:' .. held[2], held[3])
      end
      redis.call('LPUSH', prefix .. 'wake', 1)
    end
    results[#results + 1] = 1
  end
end
return results
