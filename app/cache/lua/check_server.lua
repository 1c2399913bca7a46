-- Called after a pod has connected. A restarted or promoted server may have lost the latest invalidations while
-- it still has the entries, so a changed identity invalidates all entries. So does a missing one: a full Redis evicts
-- it, and then it is unknown whether the server has changed.
-- KEYS: the identity of the server that wrote the entries, the version counter of all entries.
-- ARGV: this server's run id, lifetime of the identity (ms), lifetime of the counter (ms), channel, message.
-- Returns 1 if all entries were invalidated.
local known = redis.call('GET', KEYS[1])
begin_writes(KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if known == ARGV[1] then return 0 end
invalidate(KEYS[2], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
