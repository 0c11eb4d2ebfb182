-- pause: stops workers from claiming.
-- Guarantee: a pause that is on keeps the time at which it began.
-- KEYS[1] paused
-- ARGV[1] now  test clock, or '' for the server's
-- Returns 'OK'.

redis.call('SET', KEYS[1], now_ms(ARGV[1]), 'NX')
return 'OK'
