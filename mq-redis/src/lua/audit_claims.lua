-- audit_claims: looks at a worker that seems not to be registered although something of it is left,
-- or that is registered in a way in which no sweep would find it gone. Repair registers it with a
-- lease that has ended, so that the next sweep takes its jobs over; what else is left of it goes if
-- it holds none.
-- Guarantee: a worker that is registered as it should be is not touched.
-- KEYS[1] workers
-- KEYS[2] claims:<W>
-- KEYS[3] about
-- ARGV[1] mend  '1' to repair
-- ARGV[2] worker
-- ARGV[3] lease  the wrong one that was read, '' if it was not registered
-- Returns {1 if it is so, else 0; jobs that it holds; 1 if it has said something about itself, else
-- 0}.

local worker = ARGV[2]
if (redis.call('ZSCORE', KEYS[1], worker) or '') ~= ARGV[3] then return {0, 0, 0} end
local bytes = 0
for _, receipt in ipairs(receipts({worker}, 1)) do
  bytes = bytes + #receipt.ids
end
local about = redis.call('HEXISTS', KEYS[3], worker)
local is_so = ARGV[3] ~= '' or about == 1 or redis.call('EXISTS', KEYS[2]) == 1
if ARGV[1] == '1' then
  if bytes > 0 then
    -- 1 and not 0: a score of 0 says that a sweep has begun already.
    redis.call('ZADD', KEYS[1], 1, worker)
  else
    redis.call('ZREM', KEYS[1], worker)
    redis.call('HDEL', KEYS[3], worker)
    redis.call('DEL', KEYS[2])
  end
end
return {is_so and 1 or 0, math.ceil(bytes / 22), about}
