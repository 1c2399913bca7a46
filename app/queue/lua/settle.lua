-- Settles leases. A lost lease (the job has a newer fence, or the lease expired) is ignored.
-- ARGV[1] retention of results (ms); then for each lease: id, fence, outcome ('done', 'retry', 'postponed',
-- 'dead', 'released'), delay (ms), error, result (empty: none).
-- Returns for each lease: 1 settled, 0 no longer held.
local results = {}
local ready = 0
for at = 2, #ARGV, 6 do
  local id, fence, outcome = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local job = prefix .. 'job:' .. id
  local held = redis.call('HMGET', job, 'fence', 'level', 'owner')
  if held[1] ~= fence or redis.call('ZREM', prefix .. 'leased', id) == 0 then
    results[#results + 1] = 0
  else
    if outcome == 'done' then
      redis.call('DEL', job)
      if ARGV[at + 5] ~= '' then
        redis.call('SET', prefix .. 'result:' .. id, ARGV[at + 5], 'PX', ARGV[1])
        redis.call('PUBLISH', prefix .. 'results', id)
      end
    elseif outcome == 'dead' then
      dead_letter(id, ARGV[at + 4])
    else
      if outcome ~= 'retry' then redis.call('HINCRBY', job, 'attempt', -1) end
      if outcome == 'released' then
        add_waiting(id, held[2], held[3], 'LPUSH')
        ready = ready + 1
      else
        redis.call('HSET', job, 'error', ARGV[at + 4])
        redis.call('ZADD', prefix .. 'delayed', now + tonumber(ARGV[at + 3]), id)
        ready = ready + (tonumber(ARGV[at + 3]) < SOON_MS and 1 or 0)
      end
    end
    results[#results + 1] = 1
  end
end
wake(ready)
return results
