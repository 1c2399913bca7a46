-- Adds the recurring jobs that are due, each once for all who ask, and never beside an unfinished one of its own.
-- ARGV, for each: kind, period (ms), priority. Its id is 'every:' and the kind; it does not count as one too many.
-- Returns the ms until the next of them is due.
local due_keys = prefix .. 'recurring'
local soonest = math.huge
for at = 1, #ARGV, 3 do
  local kind, period, level = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local due = tonumber(redis.call('HGET', due_keys, kind) or 0)
  -- A due time further off than a period is one of an earlier, longer period.
  if now >= due or due > now + period then
    -- On the clock's multiples of the period, so the times do not drift.
    due = now - now % period + period
    redis.call('HSET', due_keys, kind, due)
    local id = 'every:' .. kind
    local job = prefix .. 'job:' .. id
    -- A dead one must not stop the series.
    local dead = redis.call('ZREM', prefix .. 'dead', id)
    if dead == 1 or redis.call('EXISTS', job) == 0 then
      redis.call('HSET', job, 'kind', kind, 'body', '{}', 'owner', '', 'level', level, 'attempt', 0, 'until', 0)
      redis.call('HSETNX', job, 'fence', 0)
      line_up(id, level, '', 'RPUSH')
      ring(1)
    end
  end
  soonest = math.min(soonest, due - now)
end
return soonest
