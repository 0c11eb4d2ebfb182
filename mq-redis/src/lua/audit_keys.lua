-- audit_keys: looks at suspect idempotency keys, and forgets those that belong to no job.
-- Guarantee: a key whose job has ended stays for its 24 h.
-- KEYS[1] jobs
-- KEYS[2] keys
-- KEYS[3] keys:expiry
-- ARGV[1] mend  '1' to repair
-- ARGV[group 1] key
-- Returns per key whether it is wrong: 1 or 0.

local replies = {}
for i = 2, #ARGV do
  local key = ARGV[i]
  local id = redis.call('HGET', KEYS[2], key)
  local expires = redis.call('ZSCORE', KEYS[3], key)
  local wrong = (expires and not id)
    or (id and not expires and redis.call('HEXISTS', KEYS[1], id) == 0)
  if wrong and ARGV[1] == '1' then
    redis.call('HDEL', KEYS[2], key)
    redis.call('ZREM', KEYS[3], key)
  end
  replies[#replies + 1] = wrong and 1 or 0
end
return replies
