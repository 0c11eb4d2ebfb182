-- Gives a job that lives again its idempotency key back, unless another job has it by now.
local function revive_key(at, key, id)
  if key == '' then return end
  redis.call('HSETNX', at.keys, key, id)
  if redis.call('HGET', at.keys, key) == id then redis.call('ZREM', at.expiry, key) end
end
