-- delete: removes jobs that do not run, whatever their state.
-- Guarantee: nothing of a removed job is left but its idempotency key, for 24 h.
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
-- Returns per job: 'applied', 'absent', 'moving' (complete the transfer first), or the state for
-- which the verb is refused; 'RETRY' instead of everything if other workers are registered.

local at = job_keys()
local names = registered(at.workers)
if not names then return 'RETRY' end
local now = now_ms(ARGV[1])
local holder = holders(names)

local function delete(id, key)
  local state = standing(at, holder, id)
  if not state then return 'absent' end
  if state == 'running' or state == 'moving' then return state end
  take_out(at, state, id)
  erase(at, id)
  -- A job that ended keeps the time at which its key may go.
  if not redis.call('ZSCORE', at.expiry, key) then expire_key(at, key, id, now) end
  return 'applied'
end

local replies = {}
for i = 3 + #names, #ARGV, 2 do
  replies[#replies + 1] = delete(ARGV[i], ARGV[i + 1])
end
return replies
