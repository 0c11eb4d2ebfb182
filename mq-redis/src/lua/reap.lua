-- reap: sweeps a queue for workers whose lease has ended, and fences them out.
-- Guarantee: nobody is found gone because the store itself was away. Jobs stay in their receipts;
-- `reap_take` takes them over.
-- KEYS[1] workers
-- KEYS[2] claims:<W>  of the reaper
-- KEYS[3] swept
-- KEYS[4] grace
-- KEYS[5] ready:high
-- KEYS[6] ready
-- KEYS[7] ready:low
-- KEYS[8] paused
-- KEYS[9] wake
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] reaper
-- ARGV[3] number  of the claim
-- ARGV[4] lease_ms  of this fleet
-- ARGV[5] workers  at most so many are returned
-- Returns {now, workers found gone by this sweep, all workers to be taken over (one more than
-- asked for if there are more), ids that this claim number holds already}, or {now} if the reaper
-- itself is not registered.

local now, most = now_ms(ARGV[1]), tonumber(ARGV[5])
local lease = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not lease or lease == '0' then return {now} end

local lengths = ready_lengths({['0'] = KEYS[5], ['1'] = KEYS[6], ['2'] = KEYS[7]})
if lengths['0'] + lengths['1'] + lengths['2'] > 0 and redis.call('EXISTS', KEYS[8]) == 0 then
  -- A marker may have been lost with the worker that had taken it.
  redis.call('ZADD', KEYS[9], 0, '0')
end

local function revoked()
  return redis.call('ZRANGE', KEYS[1], 0, 0, 'BYSCORE', 'LIMIT', 0, most + 1)
end
local past = redis.call('HMGET', KEYS[2], ARGV[3], 'last')
if past[1] or is_used(ARGV[3], past[2]) then return {now, {}, revoked(), past[1] or ''} end

-- What is no number counts as absent: a sweep that fails would never put it right.
local swept = tonumber(redis.call('GET', KEYS[3]) or now) or now
local grace = tonumber(redis.call('GET', KEYS[4]) or 0) or 0
-- A worker beats every third of a lease: in a gap of half a one a lease may have run out although
-- its worker lives.
if now - swept > ARGV[4] / 2 then
  grace = now + math.floor(ARGV[4] / 2)
  redis.call('SET', KEYS[4], string.format('%.0f', grace))
end
redis.call('SET', KEYS[3], now)

local gone = {}
if now >= grace then
  local late = redis.call('ZRANGE', KEYS[1], '(0', now, 'BYSCORE', 'LIMIT', 0, most + 2)
  for _, worker in ipairs(late) do
    -- The reaper is late, not gone.
    if worker ~= ARGV[2] then
      redis.call('ZADD', KEYS[1], 0, worker)
      gone[#gone + 1] = worker
    end
  end
end
local to_take = revoked()
-- Nothing to take, and so nothing for a late copy of this request either.
if #to_take == 0 then redis.call('HSET', KEYS[2], 'last', ARGV[3]) end
return {now, gone, to_take, ''}
