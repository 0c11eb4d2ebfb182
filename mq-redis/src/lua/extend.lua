-- extend: extends a worker's lease on a queue, for all its jobs at once.
-- Guarantee: a worker that is not registered, or whose jobs are being taken over, gets no lease.
-- KEYS[1] workers
-- KEYS[2] about
-- KEYS[3] cancels
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] worker
-- ARGV[3] lease_ms
-- ARGV[4] about  what the worker says about itself, '' if that has not changed
-- Returns {now, ids that somebody asked to cancel}, or 'LOST'.

local lease = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not lease or lease == '0' then return 'LOST' end
local now = now_ms(ARGV[1])
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[2], ARGV[2], ARGV[4]) end
if redis.call('HLEN', KEYS[3]) <= 1000 then return {now, redis.call('HKEYS', KEYS[3])} end
-- Others at each beat, so that all of them get through.
return {now, redis.call('HRANDFIELD', KEYS[3], 1000)}
