-- Removes what is kept about a job beside its place.
local function erase(at, id)
  redis.call('HDEL', at.jobs, id)
  redis.call('HDEL', at.history, id)
  redis.call('HDEL', at.levels, id)
  redis.call('HDEL', at.cancels, id)
end
