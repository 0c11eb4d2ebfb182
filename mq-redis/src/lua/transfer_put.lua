-- transfer_put: puts jobs from another queue into the places they had there. Step 2 of 3.
-- Guarantee: each hand-over is put once, however often this step is repeated, also when the job has
-- been taken, finished or moved on meanwhile.
-- KEYS[1] jobs
-- KEYS[2] history
-- KEYS[3] levels
-- KEYS[4] ready:high
-- KEYS[5] ready
-- KEYS[6] ready:low
-- KEYS[7] scheduled
-- KEYS[8] retry
-- KEYS[9] dead
-- KEYS[10] keys
-- KEYS[11] keys:expiry
-- KEYS[12] moving
-- KEYS[13] moved
-- KEYS[14] wake
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] read  when the notes were read, in ms since 1970
-- ARGV[group 1] id
-- ARGV[group 2] token  names the hand-over
-- ARGV[group 3] record
-- ARGV[group 4] history  '' for none
-- ARGV[group 5] place  'ready', 'scheduled', 'retry' or 'dead'
-- ARGV[group 6] score  in that place
-- ARGV[group 7] level
-- ARGV[group 8] key  idempotency key or ''
-- Returns per job: 'applied', also if it was put before; 'busy' if the job is itself being moved
-- away from here, by a hand-over that must be completed first; 'late' if its note was read so long
-- ago that what was put may be forgotten again.

local now = now_ms(ARGV[1])
local at = {
  jobs = KEYS[1], levels = KEYS[3], ready = {['0'] = KEYS[4], ['1'] = KEYS[5], ['2'] = KEYS[6]},
  keys = KEYS[10], expiry = KEYS[11], wake = KEYS[14],
}
local sets = {scheduled = KEYS[7], retry = KEYS[8], dead = KEYS[9]}
typed({KEYS[1], KEYS[2], KEYS[3], KEYS[10], KEYS[12]}, {KEYS[4], KEYS[5], KEYS[6]},
      {KEYS[7], KEYS[8], KEYS[9], KEYS[11], KEYS[13], KEYS[14]})

local is_late = now - tonumber(ARGV[2]) > 3600000

local function put(id, token, record, history, place, score, level, key)
  -- The token and not the id alone: a job may come back to a queue that it has left.
  local member = id .. token
  if redis.call('ZSCORE', KEYS[13], member) then return 'applied' end
  if is_late then return 'late' end
  if redis.call('HEXISTS', KEYS[12], id) == 1 then return 'busy' end
  redis.call('ZADD', KEYS[13], now, member)
  if redis.call('HSETNX', KEYS[1], id, record) == 0 then return 'applied' end
  if history ~= '' then redis.call('HSET', KEYS[2], id, history) end
  if level ~= '1' then redis.call('HSET', KEYS[3], id, level) end
  revive_key(at, key, id, now)
  if sets[place] then
    redis.call('ZADD', sets[place], score, id)
    redis.call('ZADD', KEYS[14], 0, '0')
  else
    make_ready(at, id)
  end
  return 'applied'
end

local replies = {}
for i = 3, #ARGV, 8 do
  replies[#replies + 1] = put(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4],
                              ARGV[i + 5], ARGV[i + 6], ARGV[i + 7])
end
return replies
