-- Adds the recurring jobs that are due, each once across all workers, unless its previous run is unfinished.
-- ARGV, for each: kind, period (ms), priority. The id is 'every:' and the kind; the queue limit does not apply.
-- Returns the ms until the next one is due.
local due_keys = prefix .. 'recurring'
local soonest = math.huge
for at = 1, #ARGV, 3 do
  local kind, period, level = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local due = tonumber(redis.call('HGET', due_keys, kind) or 0)
  -- A due time more than one period ahead was computed with an earlier, longer period.
  if now >= due or due > now + period then
    -- Aligned to multiples of the period, so that the times do not drift.
    due = now - now % period + period
    redis.call('HSET', due_keys, kind, due)
    local id = 'every:' .. kind
    local job = prefix .. 'job:' .. id
    -- A dead-lettered run must not stop the recurrence.
    local dead = redis.call('ZREM', prefix .. 'dead', id)
    if dead == 1 or redis.call('EXISTS', job) == 0 then
      redis.call('HSET', job, 'kind', kind, 'body', '{}', 'owner', '', 'level', level, 'attempt', 0, 'until', 0)
      redis.call('HSETNX', job, 'fence', 0)
      add_waiting(id, level, '', 'RPUSH')
      wake(1)
    end
  end
  soonest = math.min(soonest, due - now)
end
return soonest
