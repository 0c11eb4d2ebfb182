-- extend: extends the leases of workers on a queue, each for all its jobs at once.
-- Guarantee: a worker that is not registered, or whose jobs are being taken over, gets no lease.
-- KEYS[1] workers
-- KEYS[2] about
-- KEYS[3] cancels
-- ARGV[1] now  test clock, or '' for the server's
-- group worker of 3 from ARGV[2]:
-- ARGV[worker*3-1] worker
-- ARGV[worker*3+0] lease_ms
-- ARGV[worker*3+1] about  what the worker says about itself, '' if that has not changed
-- Returns {now, ids that somebody asked to cancel, per worker a letter: 'E' extended or 'L' lost}.

local now = now_ms(ARGV[1])
local asked = redis.call('HLEN', KEYS[3])
redis.call('HLEN', KEYS[2])
local letters = {}
for worker = 1, (#ARGV - 1) / 3 do
  local name, about = ARGV[worker*3-1], ARGV[worker*3+1]
  local lease = redis.call('ZSCORE', KEYS[1], name)
  if lease and lease ~= '0' then
    redis.call('ZADD', KEYS[1], now + ARGV[worker*3+0], name)
    if about ~= '' then redis.call('HSET', KEYS[2], name, about) end
    letters[worker] = 'E'
  else
    letters[worker] = 'L'
  end
end
local answers = table.concat(letters)
if asked <= 1000 then
  return {now, redis.call('HKEYS', KEYS[3]), answers}
end
-- Others at each beat, so that all of them get through.
return {now, redis.call('HRANDFIELD', KEYS[3], 1000), answers}
