-- audit_keys: looks at suspect idempotency keys, and forgets those that belong to no job.
-- Guarantee: a key whose job has ended stays for its 24 h.
-- KEYS[1] jobs
-- KEYS[2] keys
-- KEYS[3] keys:expiry
-- ARGV[1] mend  '1' to repair
-- ARGV[group 1] key
-- ARGV[group 2] other  a job whose record has another key, '' for none
-- Returns per key what is wrong: 0 nothing, 1 it belongs to no job, 2 to that other one.

local function look(key, other)
  local id = redis.call('HGET', KEYS[2], key)
  local expires = redis.call('ZSCORE', KEYS[3], key)
  if expires and not id then return 1 end
  -- One that waits to be forgotten names a job that is gone, or its id that was used again.
  if not id or expires then return 0 end
  if id == other then return 2 end
  return redis.call('HEXISTS', KEYS[1], id) == 0 and 1 or 0
end

local replies = {}
for i = 2, #ARGV, 2 do
  local wrong = look(ARGV[i], ARGV[i + 1])
  if wrong > 0 and ARGV[1] == '1' then
    redis.call('HDEL', KEYS[2], ARGV[i])
    redis.call('ZREM', KEYS[3], ARGV[i])
  end
  replies[#replies + 1] = wrong
end
return replies
