-- The end of a list at which an id more likely is, for LREM: ids ascend as jobs are enqueued, so
-- what was enqueued a moment ago is found at the tail at once and not after a million others.
local function near_end(list, id)
  local middle = redis.call('LINDEX', list, math.floor(redis.call('LLEN', list) / 2))
  return middle and id > middle and -1 or 1
end
