-- extend: extends the leases of workers on a queue, each for all its jobs at once.
-- Guarantee: a worker that is not registered, or whose jobs are being taken over, gets no lease.
-- KEYS[1] workers
-- KEYS[2] about
-- KEYS[3] cancels
-- KEYS[3+worker] claims:<W>  of this worker
-- ARGV[1] now  test clock, or '' for the server's
-- group worker of 4 from ARGV[2]:
-- ARGV[worker*4-2] worker
-- ARGV[worker*4-1] lease_ms
-- ARGV[worker*4+0] about  what the worker says about itself, '' if that has not changed
-- ARGV[worker*4+1] names  '1' to name the claims that hold jobs, '' for not
-- Returns {now, ids that somebody asked to cancel, per worker a letter: 'E' extended or 'L' lost,
-- number and bytes of ids per claim, in turn, of each worker that is extended and asked to say so}.

local function sizes(fields)
  local all = {}
  for f = 1, #fields, 2 do
    if fields[f] ~= 'last' then
      all[#all + 1] = fields[f]
      all[#all + 1] = #fields[f + 1]
    end
  end
  return all
end

local now = now_ms(ARGV[1])
local asked = redis.call('HLEN', KEYS[3])
redis.call('HLEN', KEYS[2])
local letters, named = {}, {}
for worker = 1, (#ARGV - 1) / 4 do
  local name, about = ARGV[worker*4-2], ARGV[worker*4+0]
  local lease = redis.call('ZSCORE', KEYS[1], name)
  if lease and lease ~= '0' then
    redis.call('ZADD', KEYS[1], now + ARGV[worker*4-1], name)
    if about ~= '' then redis.call('HSET', KEYS[2], name, about) end
    if ARGV[worker*4+1] == '1' then
      named[#named + 1] = sizes(redis.call('HGETALL', KEYS[3 + worker]))
    end
    letters[worker] = 'E'
  else
    letters[worker] = 'L'
  end
end
local answers = table.concat(letters)
if asked <= 1000 then
  return {now, redis.call('HKEYS', KEYS[3]), answers, named}
end
-- Others at each beat, so that all of them get through.
return {now, redis.call('HRANDFIELD', KEYS[3], 1000), answers, named}
