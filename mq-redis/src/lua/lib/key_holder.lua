-- The job that an idempotency key belongs to; a key whose time is up belongs to nobody, unless its
-- job is still kept.
local function key_holder(jobs, keys, expiry, key, now)
  local holder = redis.call('HGET', keys, key)
  if not holder then return nil end
  local until_ms = redis.call('ZSCORE', expiry, key)
  if until_ms and tonumber(until_ms) <= now and redis.call('HEXISTS', jobs, holder) == 0 then
    return nil
  end
  return holder
end
