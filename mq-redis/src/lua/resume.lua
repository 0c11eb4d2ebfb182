-- resume: ends a pause.
-- Guarantee: idle workers are told at once.
-- KEYS[1] paused
-- KEYS[2] wake
-- Returns 'OK'.

redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[2], 0, '0')
return 'OK'
