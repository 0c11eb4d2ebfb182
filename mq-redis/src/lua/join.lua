-- join: registers a worker on a queue, with a first lease.
-- Guarantee: a repeat only renews the lease. A worker that was fenced out or has left stays out, as
-- its next claim will tell it: letting it in again, with no number used, would lift the fence.
-- KEYS[1] workers
-- KEYS[2] about
-- KEYS[3] gone
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] worker
-- ARGV[3] lease_ms
-- ARGV[4] about  what the worker says about itself
-- Returns 'OK'.

local lease = redis.call('ZSCORE', KEYS[1], ARGV[2])
if lease == '0' or not lease and redis.call('LPOS', KEYS[3], ARGV[2]) then return 'OK' end
-- The hash first: it may be of a wrong type, and the set has been looked into.
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('ZADD', KEYS[1], now_ms(ARGV[1]) + ARGV[3], ARGV[2])
return 'OK'
