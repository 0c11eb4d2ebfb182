-- retry: runs dead, cancelled and scheduled jobs again, with all their attempts.
-- Guarantee: the history is replaced only if it is the one that the caller has read.
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
-- ARGV[group 3] delay_ms  how long from now it is due, or '' for at once
-- ARGV[group 4] read  its history as the caller read it, '' for none
-- ARGV[group 5] history  the revived one, '' for none
-- Returns per job: 'applied', 'already', 'absent', 'changed' (read it again), 'moving' (complete
-- the transfer first), or the state for which the verb is refused; 'RETRY' instead of everything
-- if other workers are registered.

local at = job_keys()
local names = registered(at.workers)
if not names then return 'RETRY' end
local now = now_ms(ARGV[1])
local holder = holders(names)
local again = {scheduled = true, retry = true, dead = true, cancelled = true}

local function retry(id, key, delay_ms, read, history)
  local state = standing(at, holder, id)
  if not state then return 'absent' end
  if state == 'ready' then return 'already' end
  if not again[state] then return state end
  if not same_history(at, id, read) then return 'changed' end
  if history ~= '' then redis.call('HSET', at.history, id, history) end
  take_out(at, state, id)
  revive_key(at, key, id, now)
  if delay_ms == '' then
    make_ready(at, id)
  else
    redis.call('ZADD', at.sets.scheduled, now + delay_ms, id)
    redis.call('ZADD', at.wake, 0, '0')
  end
  return 'applied'
end

local replies = {}
for i = 3 + #names, #ARGV, 5 do
  replies[#replies + 1] = retry(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
end
return replies
