-- Leases jobs to a worker: first brings back what is due and what a dead worker held, then takes from the lines.
-- KEYS[1] prefix. ARGV: how many, visibility (ms), most attempts.
-- Returns a flat list: id, kind, body, attempt, fence for each job.
local prefix = KEYS[1]
local wanted, visibility, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function line_up(id)
  local job = redis.call('HMGET', prefix .. 'job:' .. id, 'level', 'owner')
  if not job[1] then return end
  redis.call('ZADD', prefix .. 'since:' .. job[1], now, id)
  if redis.call('RPUSH', prefix .. 'line:' .. job[1] .. ':' .. job[2], id) == 1 then
    redis.call('RPUSH', prefix .. 'owners:' .. job[1], job[2])
  end
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'delayed', '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', prefix .. 'delayed', id)
  line_up(id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'leased', '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', prefix .. 'leased', id)
  local job = prefix .. 'job:' .. id
  if tonumber(redis.call('HGET', job, 'attempt') or 0) >= most then
    redis.call('HSET', job, 'error', 'its worker was lost')
    redis.call('ZADD', prefix .. 'dead', now, id)
  else
    line_up(id)
  end
end

-- Strictly by priority, but every sixteenth turn begins at the other end, so that no line starves.
local order = {0, 1, 2}
if redis.call('INCR', prefix .. 'turn') % 16 == 0 then order = {2, 1, 0} end
local leases = {}
local taken = 0
for _, level in ipairs(order) do
  local owners = prefix .. 'owners:' .. level
  while taken < wanted do
    local owner = redis.call('LPOP', owners)
    if not owner then break end
    local line = prefix .. 'line:' .. level .. ':' .. owner
    local id = redis.call('LPOP', line)
    if redis.call('LLEN', line) > 0 then redis.call('RPUSH', owners, owner) end
    if id then
      redis.call('ZREM', prefix .. 'since:' .. level, id)
      local job = prefix .. 'job:' .. id
      local content = redis.call('HMGET', job, 'kind', 'body')
      if content[1] then
        local attempt = redis.call('HINCRBY', job, 'attempt', 1)
        local fence = redis.call('HINCRBY', job, 'fence', 1)
        redis.call('ZADD', prefix .. 'leased', now + visibility, id)
        local n = #leases
        leases[n + 1], leases[n + 2], leases[n + 3] = id, content[1], content[2]
        leases[n + 4], leases[n + 5] = attempt, fence
        taken = taken + 1
      end
    end
  end
end
return leases
