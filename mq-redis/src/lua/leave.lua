-- leave: takes a worker off a queue.
-- Guarantee: from now on it is fenced out; the jobs that it holds stay in its receipts until a
-- sweep takes them over.
-- KEYS[1] workers
-- KEYS[2] about
-- KEYS[3] claims:<W>  of this worker
-- KEYS[4] gone
-- ARGV[1] worker
-- Returns 'OK'.

redis.call('HLEN', KEYS[2])
local jobs = redis.call('HLEN', KEYS[3]) - redis.call('HEXISTS', KEYS[3], 'last')
if jobs > 0 then
  redis.call('ZADD', KEYS[1], 0, ARGV[1])
else
  if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then note_gone(KEYS[4], ARGV[1]) end
  redis.call('HDEL', KEYS[2], ARGV[1])
  redis.call('DEL', KEYS[3])
end
return 'OK'
