-- Puts a job at the back of its ready list and lets a worker know.
local function make_ready(at, id)
  redis.call('RPUSH', at.ready[level_of(at, id)], id)
  redis.call('ZADD', at.wake, 0, '0')
end
