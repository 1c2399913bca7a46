-- Invalidates the entries that depend on these names, and publishes the invalidation.
-- KEYS: version counters. ARGV: ms the counters live (longer than any entry); channel, message: absent if no pod
-- keeps entries in memory.
for _, counter in ipairs(KEYS) do
  invalidate(counter, ARGV[1])
end
if ARGV[2] then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
