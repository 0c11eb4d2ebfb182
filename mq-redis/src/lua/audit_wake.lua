-- audit_wake: sets the marker that wakes a worker, if jobs are ready and it is missing.
-- Guarantee: none is set for a queue that is empty or paused.
-- KEYS[1] ready:high
-- KEYS[2] ready
-- KEYS[3] ready:low
-- KEYS[4] paused
-- KEYS[5] wake
-- ARGV[1] mend  '1' to repair
-- Returns 1 if it is missing, else 0.

local ready = redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2])
ready = ready + redis.call('LLEN', KEYS[3])
if ready == 0 or redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
if redis.call('ZCARD', KEYS[5]) > 0 then return 0 end
if ARGV[1] == '1' then redis.call('ZADD', KEYS[5], 0, '0') end
return 1
