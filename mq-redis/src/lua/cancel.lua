-- cancel: ends jobs that wait, and asks the workers of those that run.
-- Guarantee: a job is taken out of its place and ended in one step; a running one is left to its
-- worker. A request for a job that is not there is not remembered.
-- KEYS[1] jobs
-- KEYS[2] history
-- KEYS[3] levels
-- KEYS[4] ready:high
-- KEYS[5] ready
-- KEYS[6] ready:low
-- KEYS[7] scheduled
-- KEYS[8] retry
-- KEYS[9] dead
-- KEYS[10] done
-- KEYS[11] cancelled
-- KEYS[12] workers
-- KEYS[13] keys
-- KEYS[14] keys:expiry
-- KEYS[15] cancels
-- KEYS[16] moving
-- KEYS[17] stats
-- KEYS[18] wake
-- KEYS[19] moved
-- KEYS[19+w] claims:<W>  of the w-th worker in ARGV
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] count  of the workers whose ids follow
-- ARGV[2+w] worker  the w-th of them
-- ARGV[group 1] id
-- ARGV[group 2] key  the job's idempotency key or ''
-- ARGV[group 3] keep_ms  how long it is kept, or '' for not at all
-- ARGV[group 4] read  its history as the caller read it, '' for none
-- ARGV[group 5] history  the one to keep
-- Returns per job: 'applied', 'requested', 'already', 'absent', 'changed' (read it again), 'moving'
-- (complete the transfer first), or the state for which the verb is refused; 'RETRY' instead of
-- everything if other workers are registered.

local at = job_keys()
local names = registered(at.workers)
if not names then return 'RETRY' end
local now = now_ms(ARGV[1])
local holder = holders(names)
local waits = {ready = true, scheduled = true, retry = true}
local ended = 0

local function cancel(id, key, keep_ms, read, history)
  local state = standing(at, holder, id)
  if not state then return 'absent' end
  if state == 'cancelled' then return 'already' end
  if state == 'running' then
    return redis.call('HSETNX', at.cancels, id, now) == 1 and 'requested' or 'already'
  end
  if not waits[state] then return state end
  if keep_ms ~= '' and not same_history(at, id, read) then return 'changed' end
  take_out(at, state, id)
  if keep_ms == '' then
    erase(at, id)
  else
    redis.call('HSET', at.history, id, history)
    -- A request from when it ran is done with.
    redis.call('HDEL', at.cancels, id)
    redis.call('ZADD', at.sets.cancelled, now + keep_ms, id)
  end
  expire_key(at, key, id, now)
  ended = ended + 1
  return 'applied'
end

local replies = {}
for i = 3 + #names, #ARGV, 5 do
  replies[#replies + 1] = cancel(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
end
if ended > 0 then tally(at.stats, 'cancelled', ended) end
return replies
