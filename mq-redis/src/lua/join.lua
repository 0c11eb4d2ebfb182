-- join: registers a worker on a queue, with a first lease.
-- Guarantee: a repeat only renews the lease. A worker whose jobs are being taken over stays out,
-- as its next claim will tell it: letting it in again would lift the fence.
-- KEYS[1] workers
-- KEYS[2] about
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] worker
-- ARGV[3] lease_ms
-- ARGV[4] about  what the worker says about itself
-- Returns 'OK'.

if redis.call('ZSCORE', KEYS[1], ARGV[2]) == '0' then return 'OK' end
-- The hash first: it may be of a wrong type, and the set has been looked into.
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('ZADD', KEYS[1], now_ms(ARGV[1]) + ARGV[3], ARGV[2])
return 'OK'
