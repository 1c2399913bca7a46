-- Invalidates the entries that depend on these names, and publishes the invalidation.
-- KEYS: version counters. ARGV: ms the counters live (longer than any entry), channel, message.
for _, counter in ipairs(KEYS) do
  invalidate(counter, ARGV[1])
end
return redis.call('PUBLISH', ARGV[2], ARGV[3])
