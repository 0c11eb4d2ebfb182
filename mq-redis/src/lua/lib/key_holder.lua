-- The job that an idempotency key belongs to; a key whose time is up belongs to nobody, unless its
-- job is still kept. A time with a fraction says that the key's 24 h are over already, and only
-- when `prune` looks at it next.
local function key_holder(jobs, keys, expiry, key, now)
  local holder = redis.call('HGET', keys, key)
  if not holder then return nil end
  local until_ms = redis.call('ZSCORE', expiry, key)
  local is_over = until_ms and (tonumber(until_ms) <= now or until_ms % 1 ~= 0)
  if is_over and redis.call('HEXISTS', jobs, holder) == 0 then return nil end
  return holder
end
