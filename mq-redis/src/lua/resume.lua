-- resume: ends a pause.
-- Guarantee: idle workers are told at once; a copy that comes late, after another request, changes
-- nothing.
-- KEYS[1] paused
-- KEYS[2] wake
-- KEYS[3] orders
-- ARGV[1] name  of this request, never used twice
-- ARGV[2] previous  the name of the request before it, or ''
-- Returns 'OK', or 'late' if it was not the one before.

typed({}, {}, {KEYS[2]})
local turn = ordered(KEYS[3], 'pause', ARGV[1], ARGV[2])
if turn == 'late' then return 'late' end
if turn == 'now' then
  redis.call('ZADD', KEYS[2], 0, '0')
  redis.call('DEL', KEYS[1])
end
return 'OK'
