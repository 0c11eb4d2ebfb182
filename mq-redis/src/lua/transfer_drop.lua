-- transfer_drop: removes jobs that another queue has taken over. Step 3 of 3.
-- Guarantee: only what this very hand-over left; a job that has come back meanwhile is not touched.
-- KEYS[1] jobs
-- KEYS[2] history
-- KEYS[3] levels
-- KEYS[4] keys
-- KEYS[5] keys:expiry
-- KEYS[6] cancels
-- KEYS[7] moving
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[group 1] id
-- ARGV[group 2] note  the whole note of the hand-over, as it was read
-- ARGV[group 3] key  the job's idempotency key or ''
-- Returns how many were removed.

local now = now_ms(ARGV[1])
local at = {
  jobs = KEYS[1], history = KEYS[2], levels = KEYS[3], keys = KEYS[4], expiry = KEYS[5],
  cancels = KEYS[6],
}
typed({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[6], KEYS[7]}, {}, {KEYS[5]})
local dropped = 0
for i = 2, #ARGV, 3 do
  local id, note, key = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', KEYS[7], id) == note then
    redis.call('HDEL', KEYS[7], id)
    erase(at, id)
    -- Here the job has ended; a producer that repeats itself must not make a second one.
    expire_key(at, key, id, now)
    dropped = dropped + 1
  end
end
return dropped
