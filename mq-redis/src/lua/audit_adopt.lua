-- audit_adopt: makes a dead letter of a record that is stored under what is no id.
-- Guarantee: the bytes of the record are kept.
-- KEYS[1] jobs
-- KEYS[2] history
-- KEYS[3] dead
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] field  under which it is
-- ARGV[3] id  under which it shall be
-- ARGV[4] history  that says why
-- Returns 1, or 0 if there is nothing any more.

local now = now_ms(ARGV[1])
typed({KEYS[2]}, {}, {KEYS[3]})
local record = redis.call('HGET', KEYS[1], ARGV[2])
if not record then return 0 end
redis.call('HSET', KEYS[1], ARGV[3], record)
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('ZADD', KEYS[3], now, ARGV[3])
redis.call('HDEL', KEYS[1], ARGV[2])
return 1
