-- enqueue: stores jobs that need care: keyed, delayed, or sent before with no answer.
-- Guarantee: a job whose id or key is known is left alone; a request whose number was applied
-- changes nothing; a later one makes every late copy of this one do nothing.
-- KEYS[1] jobs         records by id
-- KEYS[2] ready:high   ids
-- KEYS[3] ready        ids
-- KEYS[4] ready:low    ids
-- KEYS[5] scheduled    ids by due time
-- KEYS[6] levels       priority of jobs that are not normal
-- KEYS[7] keys         ids by idempotency key
-- KEYS[8] keys:expiry  keys of ended jobs by the time they may be forgotten
-- KEYS[9] wake         marker for idle workers
-- KEYS[10] stats       counters
-- KEYS[11] rates       counters per minute
-- KEYS[12] producer    number of the last request of this producer
-- ARGV[1] now          test clock, or '' for the server's
-- ARGV[2] number       of this request; greater than that of every request before it
-- ARGV[3] jobs         how many follow
-- group job of 6 from ARGV[4]:
-- ARGV[job*6-2] id
-- ARGV[job*6-1] level  0, 1 or 2
-- ARGV[job*6+0] when   'now', 'after' or 'at'
-- ARGV[job*6+1] ms     delay, or ms since 1970
-- ARGV[job*6+2] key    idempotency key, or ''
-- ARGV[job*6+3] record
-- Returns per job: 1 if it is there now, or the id that its key belongs to, or 0 if its id was
-- known before this request.

local types = { 'hash', 'list', 'list', 'list', 'zset', 'hash', 'hash', 'zset', 'zset', 'hash',
  'hash', 'string' }
for at, expected in ipairs(types) do
  local found = redis.call('TYPE', KEYS[at]).ok
  if found ~= 'none' and found ~= expected then
    return redis.error_reply('WRONGTYPE ' .. KEYS[at] .. ' is not a ' .. expected)
  end
end

local number, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local applied = number <= tonumber(redis.call('GET', KEYS[12]) or '0')
local now = now_ms(ARGV[1])
local replies, stored = {}, 0
local ready = { {}, {}, {} }

for job = 1, count do
  local id, level = ARGV[job*6-2], tonumber(ARGV[job*6-1])
  local key = ARGV[job*6+2]
  local holder = key ~= '' and key_holder(KEYS[1], KEYS[7], KEYS[8], key, now)
  -- The id first: whoever repeats himself asks for this very job.
  if holder and holder ~= id and redis.call('HEXISTS', KEYS[1], id) == 0 then
    replies[job] = holder
  elseif applied then
    replies[job] = 1
  elseif holder or redis.call('HSETNX', KEYS[1], id, ARGV[job*6+3]) == 0 then
    replies[job] = 0
  else
    replies[job], stored = 1, stored + 1
    if level ~= 1 then
      redis.call('HSET', KEYS[6], id, level)
    end
    if key ~= '' then
      redis.call('HSET', KEYS[7], key, id)
      redis.call('ZREM', KEYS[8], key)
    end
    local due = due_ms(ARGV[job*6+0], ARGV[job*6+1], now)
    if due <= now then
      table.insert(ready[level + 1], id)
    else
      redis.call('ZADD', KEYS[5], due, id)
    end
  end
end

for level, ids in ipairs(ready) do
  if #ids > 0 then
    redis.call('RPUSH', KEYS[level + 1], unpack(ids))
  end
end
if stored > 0 then
  -- Also for jobs that are not due: an idle worker must learn when to look again.
  redis.call('ZADD', KEYS[9], 0, '0')
  tally(KEYS[10], 'enqueued', stored)
  tally(KEYS[11], math.floor(now / 60000) .. ':e', stored)
end
if not applied then
  redis.call('SET', KEYS[12], number, 'PX', 86400000)
end
return replies
