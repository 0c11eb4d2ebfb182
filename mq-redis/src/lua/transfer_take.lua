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
-- KEYS[19] moved
-- KEYS[19+w] claims:<W>  of the w-th worker in ARGV
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] count  of the workers whose ids follow
-- ARGV[2+w] worker  the w-th of them
-- ARGV[group 1] id
-- ARGV[group 2] token  names this hand-over of this job, never used twice
-- ARGV[group 3] began  when the transfer began, in ms since 1970
-- ARGV[group 4] to  the name of the other queue
-- Returns per job: 'applied', 'absent', 'changed' (the transfer began too long ago), 'moving'
-- (complete that transfer first), or the state for which the verb is refused; 'RETRY' instead of
-- everything if other workers are registered.

local at = job_keys()
local names = registered(at.workers)
if not names then return 'RETRY' end
local now = now_ms(ARGV[1])
local holder = holders(names)
local moves = {ready = true, scheduled = true, retry = true, dead = true}

local function take(id, token, began, to)
  local state, score = standing(at, holder, id)
  if not state then return 'absent' end
  -- The same call again, after its answer was lost; or a late copy of it, when the job has been put
  -- there and come back. The destination would not take this hand-over in a second time.
  local member = id .. token
  if redis.call('ZSCORE', at.moved, member) then return 'applied' end
  if now - tonumber(began) > 3600000 then return 'changed' end
  if not moves[state] then return state end
  if state == 'ready' then score = '0' end
  local note = table.concat({token, state, score, level_of(at, id), to}, ' ')
  take_out(at, state, id)
  redis.call('HSET', at.moving, id, note)
  redis.call('ZADD', at.moved, now, member)
  return 'applied'
end

local replies = {}
for i = 3 + #names, #ARGV, 4 do
  replies[#replies + 1] = take(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end
return replies
