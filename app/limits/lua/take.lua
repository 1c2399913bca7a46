-- Takes tokens out of buckets: for each demand out of all of its buckets, or out of none.
-- A bucket is one number (GCRA): the time, in microseconds, at which it will be full again.
-- KEYS: the buckets. ARGV: number of demands; for each: number of buckets; for each of those: index into KEYS,
-- microseconds per token, microseconds of a full bucket, tokens wanted (0: only look).
-- Returns for each demand: 1 or 0; for each of its buckets: tokens taken, tokens left, microseconds until it is
-- full, microseconds until there is a token.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at, changed = {}, {}
local answer = {}
local at = 2
for _ = 1, tonumber(ARGV[1]) do
  local count = tonumber(ARGV[at])
  at = at + 1
  local allowed = 1
  local first = at
  for _ = 1, count do
    local index = tonumber(ARGV[at])
    if not full_at[index] then
      full_at[index] = math.max(now, tonumber(redis.call('GET', KEYS[index]) or 0))
    end
    local earn, capacity, wanted = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    if wanted > 0 and now + capacity - full_at[index] < earn then allowed = 0 end
    at = at + 4
  end
  answer[#answer + 1] = allowed
  at = first
  for _ = 1, count do
    local index = tonumber(ARGV[at])
    local earn, capacity, wanted = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local taken = 0
    if allowed == 1 and wanted > 0 then
      taken = math.min(wanted, math.floor((now + capacity - full_at[index]) / earn))
      full_at[index] = full_at[index] + taken * earn
      changed[index] = true
    end
    local n = #answer
    answer[n + 1] = taken
    answer[n + 2] = math.floor((now + capacity - full_at[index]) / earn)
    answer[n + 3] = full_at[index] - now
    answer[n + 4] = math.max(0, full_at[index] + earn - capacity - now)
    at = at + 4
  end
end
for index, _ in pairs(changed) do
  redis.call('SET', KEYS[index], string.format('%.0f', full_at[index]),
    'PX', math.ceil((full_at[index] - now) / 1000) + 1)
end
return answer
