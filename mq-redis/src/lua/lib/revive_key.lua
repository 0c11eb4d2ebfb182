-- Gives a job that lives again, or in another queue, its idempotency key, unless another job has it
-- by now.
local function revive_key(at, key, id, now)
  if key == '' then return end
  if (key_holder(at.jobs, at.keys, at.expiry, key, now) or id) ~= id then return end
  redis.call('HSET', at.keys, key, id)
  redis.call('ZREM', at.expiry, key)
end
