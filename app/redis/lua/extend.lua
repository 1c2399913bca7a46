-- Keeps a lease. KEYS: the lease. ARGV: the token of its owner, for how many milliseconds.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
