-- pause: stops workers from claiming.
-- Guarantee: a pause that is on keeps the time at which it began; a copy that comes late, after
-- another request, changes nothing.
-- KEYS[1] paused
-- KEYS[2] orders
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] name  of this request, never used twice
-- ARGV[3] previous  the name of the request before it, or ''
-- Returns 'OK', or 'late' if it was not the one before.

local turn = ordered(KEYS[2], 'pause', ARGV[2], ARGV[3])
if turn == 'late' then return 'late' end
if turn == 'now' then redis.call('SET', KEYS[1], now_ms(ARGV[1]), 'NX') end
return 'OK'
