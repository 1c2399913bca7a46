-- Extends a lease, if its owner still holds it. KEYS: the lease. ARGV: the owner's token, lifetime in ms.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
