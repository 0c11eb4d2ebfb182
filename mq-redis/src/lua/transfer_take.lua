-- transfer_take: takes jobs out of their places and notes where they are to go. Step 1 of 3.
-- Guarantee: from here on nobody can claim them, and the note says all that the other steps need.
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
-- KEYS[18+w] claims:<W>  of the w-th worker in ARGV
-- ARGV[1] to  the name of the other queue
-- ARGV[2] count  of the workers whose ids follow
-- ARGV[2+w] worker  the w-th of them
-- ARGV[group 1] id
-- ARGV[group 2] token  names this hand-over of this job, never used twice
-- Returns per job: 'applied', 'absent', 'moving' (complete that transfer first), or the state for
-- which the verb is refused; 'RETRY' instead of everything if other workers are registered.

local at = job_keys()
local names = registered(at.workers)
if not names then return 'RETRY' end
local holder = holders(names)
local moves = {ready = true, scheduled = true, retry = true, dead = true}

local function take(id, token)
  local state, score = standing(at, holder, id)
  if not state then return 'absent' end
  -- The same call again, after its answer was lost.
  if state == 'moving' and score:sub(1, #token) == token then return 'applied' end
  if not moves[state] then return state end
  if state == 'ready' then score = '0' end
  local note = table.concat({token, state, score, level_of(at, id), ARGV[1]}, ' ')
  take_out(at, state, id)
  redis.call('HSET', at.moving, id, note)
  return 'applied'
end

local replies = {}
for i = 3 + #names, #ARGV, 2 do
  replies[#replies + 1] = take(ARGV[i], ARGV[i + 1])
end
return replies
