-- Retries or deletes dead letters.
-- ARGV[1] 'requeue' or 'discard'; then the ids. Returns for each: 1 done, 0 not dead-lettered.
local results = {}
local ready = 0
for at = 2, #ARGV do
  local id = ARGV[at]
  local job = prefix .. 'job:' .. id
  local found = redis.call('ZREM', prefix .. 'dead', id)
  if found == 1 and ARGV[1] == 'requeue' then
    -- A requeued job runs even after its original expiry.
    redis.call('HSET', job, 'attempt', 0, 'until', 0)
    local place = redis.call('HMGET', job, 'level', 'owner')
    if place[1] then
      add_waiting(id, place[1], place[2], 'RPUSH')
      ready = ready + 1
    end
  elseif found == 1 then
    redis.call('DEL', job)
  end
  results[#results + 1] = found
end
wake(ready)
return results
