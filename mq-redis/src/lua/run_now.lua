-- run_now: makes scheduled jobs and retries ready.
-- Guarantee: attempts and history stay as they are.
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
-- ARGV[1] unused  always ''
-- ARGV[2] count  of the workers whose ids follow
-- ARGV[2+w] worker  the w-th of them
-- ARGV[group 1] id
-- Returns per job: 'applied', 'already', 'absent', 'moving' (complete the transfer first), or the
-- state for which the verb is refused; 'RETRY' instead of everything if other workers are
-- registered.

local at = job_keys()
local names = registered(at.workers)
if not names then return 'RETRY' end
local holder = holders(names)

local function run_now(id)
  local state = standing(at, holder, id)
  if not state then return 'absent' end
  if state == 'ready' then return 'already' end
  if state ~= 'scheduled' and state ~= 'retry' then return state end
  take_out(at, state, id)
  make_ready(at, id)
  return 'applied'
end

local replies = {}
for i = 3 + #names, #ARGV do
  replies[#replies + 1] = run_now(ARGV[i])
end
return replies
