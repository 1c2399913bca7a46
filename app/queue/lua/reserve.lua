-- Leases jobs to a worker, after moving due delayed jobs and expired leases back to the waiting lists.
-- ARGV: maximum number of jobs, visibility (ms), maximum attempts, maximum number of jobs of the lowest level.
-- Returns a flat list: ms until a delayed or leased job becomes due (-1: none); then for each job: id, kind,
-- body, attempt, fence, ms until it expires (-1: never), level.
local wanted, visibility, max_attempts = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local lowest, max_lowest, taken_lowest = 2, tonumber(ARGV[4]), 0
local delayed, leased = prefix .. 'delayed', prefix .. 'leased'

local function return_to_waiting(id)
  local place = redis.call('HMGET', prefix .. 'job:' .. id, 'level', 'owner')
  if place[1] then add_waiting(id, place[1], place[2], 'RPUSH') end
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', delayed, id)
  return_to_waiting(id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', leased, id)
  local attempt = redis.call('HGET', prefix .. 'job:' .. id, 'attempt')
  if attempt and tonumber(attempt) >= max_attempts then
    dead_letter(id, 'lease expired: worker lost')
  else
    return_to_waiting(id)
  end
end

-- Of sixteen turns, one serves the lowest level first and three the middle one, which prevents starvation; the
-- others serve the highest level first. A turn without jobs on its level falls through to the next one.
local ranks = {high = {0, 1, 2}, middle = {1, 0, 2}, low = {2, 0, 1}}
local turn = tonumber(redis.call('GET', prefix .. 'turn') or 0)
local empty = {}

local function take_from(level)
  if level == lowest and taken_lowest >= max_lowest then return nil end
  local owners = prefix .. 'owners:' .. level
  while not empty[level] do
    local owner = redis.call('LPOP', owners)
    if not owner then
      empty[level] = true
      return nil
    end
    local line = prefix .. 'line:' .. level .. ':' .. owner
    local id = redis.call('LPOP', line)
    if redis.call('EXISTS', line) == 1 then redis.call('RPUSH', owners, owner) end
    if id then
      redis.call('ZREM', prefix .. 'since:' .. level, id)
      local job = prefix .. 'job:' .. id
      local held = redis.call('HMGET', job, 'kind', 'body', 'attempt', 'fence', 'until')
      if held[1] then
        if level == lowest then taken_lowest = taken_lowest + 1 end
        return id, job, held
      end
    end
  end
end

local reply = {-1}
local began = turn
while turn - began < wanted do
  local ranking = ranks.high
  if turn % 16 == 15 then ranking = ranks.low elseif turn % 4 == 3 then ranking = ranks.middle end
  local level, id, job, held
  for at = 1, 3 do
    level = ranking[at]
    id, job, held = take_from(level)
    if id then break end
  end
  if not id then break end
  turn = turn + 1
  local attempt, fence, ends = tonumber(held[3]) + 1, tonumber(held[4]) + 1, tonumber(held[5])
  redis.call('HSET', job, 'attempt', attempt, 'fence', fence)
  redis.call('ZADD', leased, now + visibility, id)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3] = id, held[1], held[2]
  reply[n + 4], reply[n + 5] = attempt, fence
  reply[n + 6], reply[n + 7] = ends > 0 and math.max(0, ends - now) or -1, level
end
if turn > began then
  redis.call('SET', prefix .. 'turn', turn % 16)
else
  for _, set in ipairs({delayed, leased}) do
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
    if first then
      local left = math.max(0, math.ceil(tonumber(first) - now))
      if reply[1] < 0 or left < reply[1] then reply[1] = left end
    end
  end
end
return reply
