-- Releases a lease, if its owner still holds it. KEYS: the lease. ARGV: the owner's token.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
