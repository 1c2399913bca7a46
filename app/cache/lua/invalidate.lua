-- Invalidates the entries that depend on these names, and publishes the invalidation.
-- KEYS: the version counters, then the sets of pods that hold entries of a name.
-- ARGV: ms the counters live (longer than any entry), number of counters, message, channel of all pods (empty: only
-- the pods in the sets receive the message), prefix of the channels of single pods.
for at = 1, tonumber(ARGV[2]) do
  invalidate(KEYS[at], ARGV[1])
end
if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[3]) end
local published = {}
for at = ARGV[2] + 1, #KEYS do
  for _, pod in ipairs(redis.call('SMEMBERS', KEYS[at])) do
    if ARGV[4] == '' and not published[pod] then
      redis.call('PUBLISH', ARGV[5] .. pod, ARGV[3])
      published[pod] = true
    end
  end
  redis.call('DEL', KEYS[at])
end
