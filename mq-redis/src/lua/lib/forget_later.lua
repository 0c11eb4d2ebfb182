-- Lets the idempotency keys of jobs that have ended be forgotten some day. `ended` lists keys, ids
-- and times in turn; a key that belongs to another job by now is left alone.
local function forget_later(keys, expiry, ended)
  for i = 1, #ended, 3 do
    if redis.call('HGET', keys, ended[i]) == ended[i + 1] then
      redis.call('ZADD', expiry, ended[i + 2], ended[i])
    end
  end
end
