-- Takes tokens from buckets: for each request from all of its buckets, or from none.
-- A bucket counts the tokens taken in each of the twenty slices of its window and in the current slice. The sum is
-- never less than the tokens taken within the last window, so no window, wherever it begins, exceeds the limit; a
-- token is available again after one window and at most one slice.
-- KEYS: the buckets. ARGV: number of requests; for each: number of buckets; for each of those: index into KEYS,
-- the limit, the window (us), tokens wanted (0: read only), unspent tokens of an expired lease to return, the
-- slice that they were taken in.
-- Returns for each request: 1 or 0; for each of its buckets: tokens taken, tokens left, us until it is full, us
-- until a token is available, the slice that the tokens were taken in.
local SLICES = 20
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local buckets = {}

-- {key, limit, slice (us), newest slice's number, tokens taken in all of them, their counts from old to new}
local function open(index, limit, window)
  local bucket = buckets[index]
  if bucket then return bucket end
  local slice = math.max(1, math.floor(window / SLICES))
  local newest = math.floor(now / slice)
  bucket = {key = KEYS[index], limit = limit, slice = slice, newest = newest, used = 0}
  local counts = {}
  local stored = redis.call('GET', bucket.key)
  -- {slice, newest, counts...}; another slice length belongs to an earlier rule of the same name
  local old = stored and cmsgpack.unpack(stored)
  if old and old[1] == slice then
    -- After a failover the clock may be behind: then continue in the newest known slice.
    newest = math.max(newest, old[2])
    bucket.newest = newest
    local shift = newest - old[2]
    for at = 1, SLICES + 1 do
      counts[at] = old[2 + at + shift] or 0
      bucket.used = bucket.used + counts[at]
    end
  else
    for at = 1, SLICES + 1 do counts[at] = 0 end
  end
  bucket.counts = counts
  buckets[index] = bucket
  return bucket
end

-- Returns unspent tokens to the slice they were taken in. Other slices are not changed: later tokens count longer.
local function return_tokens(bucket, tokens, slice)
  local at = SLICES + 1 - (bucket.newest - slice)
  if tokens > 0 and bucket.counts[at] then
    tokens = math.min(tokens, bucket.counts[at])
    bucket.counts[at] = bucket.counts[at] - tokens
    bucket.used = bucket.used - tokens
    bucket.changed = true
  end
end

-- Microseconds until the tokens of a slice are available again.
local function back(bucket, at)
  return math.max(0, (bucket.newest - (SLICES + 1 - at) + SLICES + 1) * bucket.slice - now)
end

local reply = {}
local at = 2
for _ = 1, tonumber(ARGV[1]) do
  local count = tonumber(ARGV[at])
  local allowed = 1
  local taking = {}
  for number = 1, count do
    local first = at + 6 * number - 5
    local bucket = open(tonumber(ARGV[first]), tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]))
    local wanted = tonumber(ARGV[first + 3])
    return_tokens(bucket, tonumber(ARGV[first + 4]), tonumber(ARGV[first + 5]))
    taking[number] = {bucket, wanted}
    if wanted > 0 and bucket.used >= bucket.limit then allowed = 0 end
  end
  at = at + 1 + 6 * count
  reply[#reply + 1] = allowed
  for _, pair in ipairs(taking) do
    local bucket, taken = pair[1], 0
    if allowed == 1 and pair[2] > 0 then
      taken = math.min(pair[2], bucket.limit - bucket.used)
      bucket.counts[SLICES + 1] = bucket.counts[SLICES + 1] + taken
      bucket.used = bucket.used + taken
      bucket.changed = true
    end
    local full, wait = 0, 0
    for slice = SLICES + 1, 1, -1 do
      if bucket.counts[slice] > 0 then
        if full == 0 then full = back(bucket, slice) end
        if bucket.used < bucket.limit then break end
        wait = back(bucket, slice)
      end
    end
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = taken, bucket.limit - bucket.used, full, wait
    reply[n + 5] = bucket.newest
  end
end
for _, bucket in pairs(buckets) do
  if bucket.changed then
    redis.call('SET', bucket.key, cmsgpack.pack({bucket.slice, bucket.newest, unpack(bucket.counts)}),
      'PX', math.ceil((SLICES + 2) * bucket.slice / 1000))
  end
end
return reply
