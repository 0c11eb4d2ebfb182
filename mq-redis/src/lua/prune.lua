-- prune: removes kept jobs, keys and figures whose time is up, and names the dead letters that are
-- too many or too old.
-- Guarantee: bounded; a job that has been made to run again is not touched. The dead letters are
-- left to `prune_dead`: their keys are in their records, which are not read here.
-- KEYS[1] jobs
-- KEYS[2] history
-- KEYS[3] levels
-- KEYS[4] done
-- KEYS[5] cancelled
-- KEYS[6] dead
-- KEYS[7] keys
-- KEYS[8] keys:expiry
-- KEYS[9] rates
-- KEYS[10] moved
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] batch  at most so many of each sort, at most 1000
-- ARGV[3] dead_count  to be kept
-- ARGV[4] dead_age_ms  beyond which they go
-- ARGV[5] settled  '1' if no hand-over is under way that began before; others are remembered
-- Returns {now, how many entries were removed, 1 if some sort reached the batch, else 0, ids of
-- dead letters to be removed}.

local now, batch = now_ms(ARGV[1]), tonumber(ARGV[2])
local removed, more = 0, 0
typed({KEYS[1], KEYS[2], KEYS[3], KEYS[7], KEYS[9]}, {}, {})

local function take(set, until_ms, limit)
  local members = redis.call('ZRANGE', set, '-inf', until_ms, 'BYSCORE', 'LIMIT', 0, limit)
  bulk('ZREM', set, members)
  removed = removed + #members
  if #members == limit then more = 1 end
  return members
end

-- Done and cancelled jobs are one sort: those that are kept.
local kept = batch
for _, set in ipairs({KEYS[4], KEYS[5]}) do
  local ids = take(set, now, kept)
  kept = kept - #ids
  for _, hash in ipairs({KEYS[1], KEYS[2], KEYS[3]}) do bulk('HDEL', hash, ids) end
end
for _, key in ipairs(take(KEYS[8], now, batch)) do
  local id = redis.call('HGET', KEYS[7], key)
  -- A job that is still kept holds its key; it is looked at again in an hour. The fraction tells
  -- `key_holder` that the key is free as soon as the job is gone.
  if id and redis.call('HEXISTS', KEYS[1], id) == 1 then
    redis.call('ZADD', KEYS[8], string.format('%.1f', now + 3600000.5), key)
  else
    redis.call('HDEL', KEYS[7], key)
  end
end
if ARGV[5] == '1' then take(KEYS[10], now - 86400000, batch) end

local old = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[9])) do
  local minute = tonumber(field:match('^%d+'))
  if minute and minute < now / 60000 - 60 then old[#old + 1] = field end
end
bulk('HDEL', KEYS[9], old)

-- The oldest come first, so those beyond the count are at the front, and so are those too old.
local beyond = redis.call('ZCARD', KEYS[6]) - ARGV[3]
local aged = redis.call('ZCOUNT', KEYS[6], '-inf', string.format('(%.0f', now - ARGV[4]))
local doomed = math.min(math.max(beyond, aged, 0), batch)
local dead = doomed > 0 and redis.call('ZRANGE', KEYS[6], 0, doomed - 1) or {}
if doomed == batch then more = 1 end
return {now, removed, more, dead}
