-- Extends leases that are still held. The lease is removed first, because a full Redis refuses a ZADD that is the first
-- write of a script: the queue itself may fill it, and must be processed then.
-- ARGV[1] visibility (ms); then for each lease: id, fence.
-- Returns for each lease: 1 still held, 0 lost.
local results = {}
for at = 2, #ARGV, 2 do
  local id = ARGV[at]
  if redis.call('HGET', prefix .. 'job:' .. id, 'fence') == ARGV[at + 1]
    and redis.call('ZREM', prefix .. 'leased', id) == 1 then
    redis.call('ZADD', prefix .. 'leased', now + ARGV[1], id)
    results[#results + 1] = 1
  else
    results[#results + 1] = 0
  end
end
return results
