-- audit_claims: looks at a worker that seems not to be registered although something of it is left.
-- Repair registers it with a lease that has ended, so that the next sweep takes its jobs over; what
-- it said about itself goes if it holds none.
-- Guarantee: a worker that is registered is not touched.
-- KEYS[1] workers
-- KEYS[2] claims:<W>
-- KEYS[3] about
-- ARGV[1] mend  '1' to repair
-- ARGV[2] worker
-- Returns {jobs that it holds, 1 if it has said something about itself}, zeros if it is registered.

local worker = ARGV[2]
if redis.call('ZSCORE', KEYS[1], worker) then return {0, 0} end
local bytes = 0
for _, receipt in ipairs(receipts({worker}, 1)) do
  bytes = bytes + #receipt.ids
end
local about = redis.call('HEXISTS', KEYS[3], worker)
if ARGV[1] == '1' then
  if bytes > 0 then
    -- 1 and not 0: a score of 0 says that a sweep has begun already.
    redis.call('ZADD', KEYS[1], 'NX', 1, worker)
  else
    redis.call('HDEL', KEYS[3], worker)
  end
end
return {math.ceil(bytes / 22), about}
