-- Records a heartbeat and returns the number of live workers.
-- KEYS: a sorted set of worker names by time of the last heartbeat (ms).
-- ARGV: the worker's name, milliseconds without a heartbeat after which a worker is removed.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- In this order, because a full Redis refuses a ZADD that is the first write of a script.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
return redis.call('ZCARD', KEYS[1])
