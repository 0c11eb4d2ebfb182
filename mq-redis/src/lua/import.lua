-- import: puts jobs from another store into the places they had there.
-- Guarantee: a job that is here, wherever, is left alone. A repeat changes nothing, nor does a copy
-- that comes late, when the jobs may have ended.
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
-- KEYS[12] keys
-- KEYS[13] keys:expiry
-- KEYS[14] cancels
-- KEYS[15] wake
-- KEYS[16] orders
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] name  of this request, never used twice
-- ARGV[3] previous  the name of the request before it, or ''
-- ARGV[group 1] id
-- ARGV[group 2] record
-- ARGV[group 3] history  '' for none
-- ARGV[group 4] place  'ready', 'scheduled', 'retry', 'dead', 'done' or 'cancelled'
-- ARGV[group 5] score  in that place
-- ARGV[group 6] level
-- ARGV[group 7] key  idempotency key or ''
-- ARGV[group 8] cancel  '1' if somebody asked to cancel it, or ''
-- Returns per job: 'applied' or 'already'; 'late' instead of everything if another request came
-- in between.

local now = now_ms(ARGV[1])
local at = {
  levels = KEYS[3], ready = {['0'] = KEYS[4], ['1'] = KEYS[5], ['2'] = KEYS[6]}, wake = KEYS[15],
}
local sets = {scheduled = KEYS[7], retry = KEYS[8], dead = KEYS[9], done = KEYS[10],
              cancelled = KEYS[11]}
typed({KEYS[1], KEYS[2], KEYS[3], KEYS[12], KEYS[14], KEYS[16]}, {KEYS[4], KEYS[5], KEYS[6]},
      {KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[13], KEYS[15]})

local turn = ordered(KEYS[16], 'import', ARGV[2], ARGV[3])
if turn == 'late' then return 'late' end

local function take_key(key, id, place, score)
  local holder = key_holder(KEYS[1], KEYS[12], KEYS[13], key, now)
  if holder and holder ~= id then return end
  redis.call('HSET', KEYS[12], key, id)
  if place == 'done' or place == 'cancelled' then
    redis.call('ZADD', KEYS[13], math.max(now + 86400000, tonumber(score)), key)
  else
    redis.call('ZREM', KEYS[13], key)
  end
end

local function put(id, record, history, place, score, level, key, cancel)
  -- A repeat brings back no job that has ended since.
  if turn == 'again' or redis.call('HSETNX', KEYS[1], id, record) == 0 then return 'already' end
  if history ~= '' then redis.call('HSET', KEYS[2], id, history) end
  if level ~= '1' then redis.call('HSET', KEYS[3], id, level) end
  if key ~= '' then take_key(key, id, place, score) end
  local lives = place == 'ready' or place == 'scheduled' or place == 'retry'
  if cancel ~= '' and lives then redis.call('HSET', KEYS[14], id, now) end
  if sets[place] then
    redis.call('ZADD', sets[place], score, id)
    -- Also for jobs that are not due: an idle worker must learn when to look again.
    redis.call('ZADD', at.wake, 0, '0')
  else
    make_ready(at, id)
  end
  return 'applied'
end

local replies = {}
for i = 4, #ARGV, 8 do replies[#replies + 1] = put(unpack(ARGV, i, i + 7)) end
return replies
