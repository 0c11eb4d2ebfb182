-- Lets an idempotency key be forgotten 24 h after its job has ended.
local function expire_key(at, key, id, now)
  if key ~= '' and redis.call('HGET', at.keys, key) == id then
    redis.call('ZADD', at.expiry, now + 86400000, key)
  end
end
