-- discard: sends jobs that wait to the dead letters.
-- Guarantee: a job is taken out of its place and put there in one step; a running one is left
-- alone.
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
-- ARGV[group 2] read  its history as the caller read it, '' for none
-- ARGV[group 3] history  the one to keep
-- Returns per job: 'applied', 'already', 'absent', 'changed' (read it again), 'moving' (complete
-- the transfer first), or the state for which the verb is refused; 'RETRY' instead of everything
-- if other workers are registered.

local at = job_keys()
local names = registered(at.workers)
if not names then return 'RETRY' end
local now = now_ms(ARGV[1])
local holder = holders(names)
local waits = {ready = true, scheduled = true, retry = true}
local buried = 0

local function discard(id, read, history)
  local state = standing(at, holder, id)
  if not state then return 'absent' end
  if state == 'dead' then return 'already' end
  if not waits[state] then return state end
  if not same_history(at, id, read) then return 'changed' end
  take_out(at, state, id)
  redis.call('HSET', at.history, id, history)
  redis.call('HDEL', at.cancels, id)
  redis.call('ZADD', at.sets.dead, now, id)
  buried = buried + 1
  return 'applied'
end

local replies = {}
for i = 3 + #names, #ARGV, 3 do
  replies[#replies + 1] = discard(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
if buried > 0 then tally(at.stats, 'dead', buried) end
return replies
