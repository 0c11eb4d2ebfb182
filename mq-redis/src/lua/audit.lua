-- audit: looks at suspect jobs in all structures at once, and mends what is wrong with them.
-- Guarantee: a job with a record is never dropped; it ends up in exactly one place.
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
-- ARGV[1] depth  'look' spares the ready lists, 'deep' searches them, 'mend' also repairs
-- ARGV[2] count  of the workers whose ids follow
-- ARGV[2+w] worker  the w-th of them
-- ARGV[group 1] id
-- ARGV[group 2] home  where it goes if it is nowhere: 'ready', 'dead' or 'done'
-- ARGV[group 3] score  in that place
-- Returns per job, as it was found: a list of 'record', the places, 'history', 'level', 'cancel';
-- 'RETRY' instead of everything if other workers are registered.

local at = job_keys()
local names = registered(at.workers)
if not names then return 'RETRY' end
local held = {}
for _, receipt in ipairs(receipts(names, 19)) do
  for p = 1, #receipt.ids - 21, 22 do
    local id = receipt.ids:sub(p, p + 21)
    held[id] = held[id] or {}
    table.insert(held[id], receipt)
  end
end

local ends = {dead = true, done = true, cancelled = true}

local function mend(id, record, found, home, score)
  for index, place in ipairs(found) do
    if not record or index > 1 then leave_place(place, id) end
  end
  if not record then
    erase(at, id)
  elseif #found == 0 then
    if at.sets[home] then redis.call('ZADD', at.sets[home], score, id) else make_ready(at, id) end
  elseif ends[found[1][1]] then
    redis.call('HDEL', at.cancels, id)
  end
end

local function look(id, home, score)
  local record = redis.call('HEXISTS', at.jobs, id) == 1
  local found = places(at, held, id, ARGV[1] ~= 'look')
  local words = {}
  if record then words[1] = 'record' end
  for _, place in ipairs(found) do
    words[#words + 1] = place[1]
  end
  if redis.call('HEXISTS', at.history, id) == 1 then words[#words + 1] = 'history' end
  if redis.call('HEXISTS', at.levels, id) == 1 then words[#words + 1] = 'level' end
  if redis.call('HEXISTS', at.cancels, id) == 1 then words[#words + 1] = 'cancel' end
  if ARGV[1] == 'mend' then mend(id, record, found, home, score) end
  return words
end

local replies = {}
for i = 3 + #names, #ARGV, 3 do
  replies[#replies + 1] = look(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
return replies
