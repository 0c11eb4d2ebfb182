-- finish: ends a worker's claims on jobs of one queue, each by its transition.
-- Guarantee: only what a receipt of this worker holds is touched, while the worker is registered,
-- and once. Places come first and receipts last, so that an error on the way cannot lose a job.
-- KEYS[1] workers
-- KEYS[2] claims:<W>  of this worker
-- KEYS[3] jobs
-- KEYS[4] history
-- KEYS[5] levels
-- KEYS[6] ready:high
-- KEYS[7] ready
-- KEYS[8] ready:low
-- KEYS[9] scheduled
-- KEYS[10] retry
-- KEYS[11] dead
-- KEYS[12] done
-- KEYS[13] cancelled
-- KEYS[14] keys
-- KEYS[15] keys:expiry
-- KEYS[16] cancels
-- KEYS[17] stats
-- KEYS[18] rates
-- KEYS[19] recent
-- KEYS[20] wake
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] worker
-- ARGV[3] sample  id and run time in ms of one of the jobs that are done, '' for none
-- ARGV[4] groups  number of plain groups: done jobs with no past, no key, of normal priority
-- ARGV[2g+5] number  of the claim of a plain group
-- ARGV[2g+6] ids  of the group, one after the other
-- ARGV[group 1] number  of the claim of a job that is not plain
-- ARGV[group 2] id
-- ARGV[group 3] action  'done', 'retain', 'retry', 'schedule', 'release', 'bury', 'cancel', 'drop'
-- ARGV[group 4] at_ms  due, or to be kept until; '' for none
-- ARGV[group 5] history  to be stored; '' for none
-- ARGV[group 6] level
-- ARGV[group 7] key  idempotency key or ''
-- ARGV[group 8] failed  '1' if the attempt failed, for the counters
-- Returns one letter per job, the groups' first: 'A' applied, 'R' done before; or 'F', fenced.

local lease = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not lease or lease == '0' then return 'F' end
local now, first_move, width = now_ms(ARGV[1]), 5 + 2 * ARGV[4], 8
local held = open_receipts(KEYS[2], first_move, width)
local letters, gone, erased, over, histories, keyed = {}, {}, {}, {}, {}, {}
local to = {retry = {}, schedule = {}, bury = {}, retain = {}, cancel = {}}
local ready = {['0'] = {}, ['1'] = {}, ['2'] = {}}
local count = {done = 0, retain = 0, retry = 0, schedule = 0, release = 0, bury = 0, cancel = 0}
count.drop, count.failed = 0, 0

local function move(number, id, action, at_ms, history, level, key, failed)
  if not cut(held, number, id) then return 'R' end
  count[action] = count[action] + 1
  if failed == '1' then count.failed = count.failed + 1 end
  local lives = action == 'retry' or action == 'schedule' or action == 'release'
  local stays = lives or action == 'bury' or at_ms ~= ''
  if action == 'release' then
    table.insert(ready[level], 1, id)
  elseif stays then
    append(to[action], action == 'bury' and now or at_ms, id)
  else
    append(erased, id)
  end
  if stays and history ~= '' then append(histories, id, history) end
  -- A job that is to be run again keeps a request to cancel it: its next worker is told.
  if not lives then append(over, id) end
  -- A dead letter has not ended, so its key holds; a kept job holds it as long as it is there.
  if key ~= '' and not lives and action ~= 'bury' then append(keyed, key, id, now + 86400000) end
  return 'A'
end

typed({KEYS[3], KEYS[16], KEYS[17], KEYS[18]}, {KEYS[19]}, {})
if #ARGV >= first_move then
  typed({KEYS[4], KEYS[5], KEYS[14]}, {KEYS[6], KEYS[7], KEYS[8]},
        {KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[15], KEYS[20]})
end
for i = 5, first_move - 1, 2 do cut_all(held, ARGV[i], ARGV[i + 1], letters, gone) end
count.done = #gone
for i = first_move, #ARGV, width do append(letters, move(unpack(ARGV, i, i + width - 1))) end

bulk('HSET', KEYS[4], histories)
bulk('ZADD', KEYS[9], to.schedule)
bulk('ZADD', KEYS[10], to.retry)
bulk('ZADD', KEYS[11], to.bury)
bulk('ZADD', KEYS[12], to.retain)
bulk('ZADD', KEYS[13], to.cancel)
bulk('LPUSH', KEYS[6], ready['0'])
bulk('LPUSH', KEYS[7], ready['1'])
bulk('LPUSH', KEYS[8], ready['2'])
forget_later(KEYS[14], KEYS[15], keyed)
for _, hash in ipairs({KEYS[3], KEYS[4], KEYS[5]}) do bulk('HDEL', hash, erased) end
bulk('HDEL', KEYS[3], gone)
if redis.call('EXISTS', KEYS[16]) == 1 then
  bulk('HDEL', KEYS[16], gone)
  bulk('HDEL', KEYS[16], over)
end
close_receipts(KEYS[2], held)
-- Also for jobs that are not due: an idle worker must learn when to look again.
if count.retry + count.schedule + count.release > 0 then redis.call('ZADD', KEYS[20], 0, '0') end
count_ends(KEYS[17], KEYS[18], now, count)
if ARGV[3] ~= '' and count.done + count.retain > 0 then
  redis.call('LPUSH', KEYS[19], string.format('%s %.0f', ARGV[3], now))
  redis.call('LTRIM', KEYS[19], 0, 99)
end
return table.concat(letters)
