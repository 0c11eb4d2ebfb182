-- stats: sizes and counters of a queue, as of one instant.
-- Guarantee: reads only; every job is counted once.
-- KEYS[1] ready:high
-- KEYS[2] ready
-- KEYS[3] ready:low
-- KEYS[4] scheduled
-- KEYS[5] retry
-- KEYS[6] dead
-- KEYS[7] done
-- KEYS[8] cancelled
-- KEYS[9] moving
-- KEYS[10] paused
-- KEYS[11] stats
-- KEYS[12] rates
-- KEYS[13] workers
-- KEYS[13+w] claims:<W>  of the w-th worker in ARGV
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] count  of the workers whose ids follow
-- ARGV[2+w] worker  the w-th of them
-- Returns {now, lengths of KEYS[1] to [3], sizes of KEYS[4] to [9], running, heads of KEYS[1] to
-- [3], first scores of KEYS[4] and [5], paused, counters enqueued done failed dead interrupted, the
-- last full minute's e d f}; absent ones are nil, and the list is nested as written. 'RETRY' if
-- other workers are registered.

local names = registered(KEYS[13])
if not names then return 'RETRY' end
local now = now_ms(ARGV[1])
local lengths, heads, sizes, due = {}, {}, {}, {}
for k = 1, 3 do
  lengths[k] = redis.call('LLEN', KEYS[k])
  heads[k] = redis.call('LINDEX', KEYS[k], 0)
end
for k = 4, 8 do
  sizes[k - 3] = redis.call('ZCARD', KEYS[k])
end
sizes[6] = redis.call('HLEN', KEYS[9])
for k = 4, 5 do
  due[k - 3] = redis.call('ZRANGE', KEYS[k], 0, 0, 'WITHSCORES')[2] or false
end
local running = 0
for _, receipt in ipairs(receipts(names, 13)) do
  running = running + #receipt.ids / 22
end
local counters = redis.call('HMGET', KEYS[11], 'enqueued', 'done', 'failed', 'dead', 'interrupted')
local minute = string.format('%.0f', math.floor(now / 60000) - 1)
local rates = redis.call('HMGET', KEYS[12], minute .. ':e', minute .. ':d', minute .. ':f')
local paused = redis.call('GET', KEYS[10])
return {now, lengths, sizes, running, heads, due, paused, counters, rates}
