-- A pod has connected to a server. One that was started anew, or has taken over, may have forgotten the last
-- invalidations and still have what they were about: then nothing it has is to be trusted.
-- KEYS: the identity of the server that wrote the entries, the version counter of everything.
-- ARGV: this server's identity, ms the identity is kept, ms the counter lives, channel, message.
-- Returns 1 when everything was invalidated.
local known = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if not known or known == ARGV[1] then return 0 end
invalidate(KEYS[2], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
