-- claim: gives ready jobs of several queues to a worker, the first queue's first.
-- Guarantee: a job is in a ready list or in a receipt, never in both or neither. A request that was
-- applied before gives what it gave then, and a late copy of an older one gives nothing.
-- KEYS[12q+1] workers
-- KEYS[12q+2] claims:<W>  of this queue's worker
-- KEYS[12q+3] paused
-- KEYS[12q+4] scheduled
-- KEYS[12q+5] retry
-- KEYS[12q+6] levels
-- KEYS[12q+7] ready:high
-- KEYS[12q+8] ready
-- KEYS[12q+9] ready:low
-- KEYS[12q+10] wake
-- KEYS[12q+11] jobs
-- KEYS[12q+12] history
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] limit  of all queues together, at most 1000
-- ARGV[3] inline  up to so many jobs of a queue come with their records
-- ARGV[3q+4] worker
-- ARGV[3q+5] number  of the claim
-- ARGV[3q+6] limit  of this queue
-- Returns {now, per queue {status, due, ids, past, records, histories}}. Status: 'MORE', 'EMPTY'
-- (due is when the next job is, or nil), 'PAUSED', 'LOST'. ids: one after the other, '' for none.
-- past: 1 if some job of the queue has a history. records, histories: nil if not inlined.

local now = now_ms(ARGV[1])
local left, inline = tonumber(ARGV[2]), tonumber(ARGV[3])

local function read(k, a)
  local queue = {
    claims = KEYS[k + 2], paused = KEYS[k + 3], scheduled = KEYS[k + 4], retry = KEYS[k + 5],
    levels = KEYS[k + 6], ready = {['0'] = KEYS[k + 7], ['1'] = KEYS[k + 8], ['2'] = KEYS[k + 9]},
    wake = KEYS[k + 10], jobs = KEYS[k + 11], history = KEYS[k + 12],
    number = ARGV[a + 1], limit = tonumber(ARGV[a + 2]),
  }
  local lease = redis.call('ZSCORE', KEYS[k + 1], ARGV[a])
  queue.lost = not lease or lease == '0'
  if queue.lost then return queue end
  local past = redis.call('HMGET', queue.claims, queue.number, 'last')
  queue.receipt = past[1]
  queue.seen = is_used(queue.number, past[2])
  queue.is_paused = redis.call('EXISTS', queue.paused) == 1
  return queue
end

-- Takes ids off the ready lists and notes them in a receipt, in this order: what could fail for a
-- wrong type has been touched before.
local function take(queue, lengths, limit)
  local parts = {}
  for _, level in ipairs({'0', '1', '2'}) do
    local count = math.min(limit, lengths[level])
    if count > 0 then
      local ids = redis.call('LPOP', queue.ready[level], count)
      limit, lengths[level] = limit - #ids, lengths[level] - #ids
      local part = table.concat(ids)
      if #part ~= 22 * #ids then
        -- Somebody else's elements: they would shift all the ids after them.
        local own = {}
        for _, id in ipairs(ids) do if #id == 22 then own[#own + 1] = id end end
        part = table.concat(own)
      end
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts)
end

local function serve(queue, repeated)
  if queue.lost then return {'LOST', false, ''} end
  local ids, lengths = queue.receipt or '', ready_lengths(queue.ready)
  if not repeated and not queue.seen then
    local limit = math.min(left, queue.limit)
    if not queue.is_paused and limit > 0 then
      promote_due(queue.scheduled, queue.levels, queue.ready, lengths, now, 100)
      promote_due(queue.retry, queue.levels, queue.ready, lengths, now, 100)
      ids = take(queue, lengths, limit)
    end
    -- Also if nothing was taken: a copy of this request that comes late must find nothing either.
    if ids == '' then
      redis.call('HSET', queue.claims, 'last', queue.number)
    else
      redis.call('HSET', queue.claims, queue.number, ids, 'last', queue.number)
    end
  end
  left = left - #ids / 22
  local status, due = 'MORE', false
  if queue.is_paused then
    status = 'PAUSED'
  elseif lengths['0'] + lengths['1'] + lengths['2'] == 0 then
    due = next_due(queue.scheduled, queue.retry)
    if not due or due > now then status = 'EMPTY' end
  end
  -- One worker wakes the next: as many come as there is work for, and no herd.
  if status == 'MORE' then redis.call('ZADD', queue.wake, 0, '0') end
  return {status, due, ids}
end

local queues, repeated = {}, false
for q = 0, #KEYS / 12 - 1 do
  local queue = read(12 * q, 3 * q + 4)
  queues[#queues + 1] = queue
  repeated = repeated or (not queue.lost and (queue.receipt or queue.seen))
end
local replies = {}
for q, queue in ipairs(queues) do
  local reply = serve(queue, repeated)
  local ids = reply[3]
  if ids ~= '' then
    reply[4] = redis.call('EXISTS', queue.history)
    if #ids <= 22 * inline then
      local list = split_ids(ids, {})
      reply[5] = redis.call('HMGET', queue.jobs, unpack(list))
      if reply[4] == 1 then reply[6] = redis.call('HMGET', queue.history, unpack(list)) end
    end
  end
  replies[q] = reply
end
return {now, replies}
