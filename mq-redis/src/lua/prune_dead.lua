-- prune_dead: removes dead letters that `prune` has named.
-- Guarantee: one that has been made to run again meanwhile is left alone.
-- KEYS[1] jobs
-- KEYS[2] history
-- KEYS[3] levels
-- KEYS[4] dead
-- KEYS[5] keys
-- KEYS[6] keys:expiry
-- KEYS[7] cancels
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[group 1] id
-- ARGV[group 2] key  the job's idempotency key or ''
-- Returns how many were removed.

local at = {
  jobs = KEYS[1], history = KEYS[2], levels = KEYS[3], keys = KEYS[5], expiry = KEYS[6],
  cancels = KEYS[7],
}
local now, removed = now_ms(ARGV[1]), 0
typed({KEYS[1], KEYS[2], KEYS[3], KEYS[5], KEYS[7]}, {}, {KEYS[6]})
for i = 2, #ARGV, 2 do
  if redis.call('ZREM', KEYS[4], ARGV[i]) == 1 then
    erase(at, ARGV[i])
    expire_key(at, ARGV[i + 1], ARGV[i], now)
    removed = removed + 1
  end
end
return removed
