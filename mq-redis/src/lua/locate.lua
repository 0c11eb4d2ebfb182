-- locate: everything known about jobs, as of one instant.
-- Guarantee: reads only.
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
-- Returns per job: {} if there is none, else {state, score or worker or note, '1' if a cancellation
-- was asked for, record, history or ''}; 'RETRY' instead of everything if other workers are
-- registered.

local at = job_keys()
local names = registered(at.workers)
if not names then return 'RETRY' end
local holder = holders(names)
local replies = {}
for i = 3 + #names, #ARGV do
  local id = ARGV[i]
  local state, detail = standing(at, holder, id)
  if state then
    local asked = redis.call('HEXISTS', at.cancels, id) == 1 and '1' or ''
    local record, history = redis.call('HGET', at.jobs, id), redis.call('HGET', at.history, id)
    replies[#replies + 1] = {state, detail, asked, record, history or ''}
  else
    replies[#replies + 1] = {}
  end
end
return replies
