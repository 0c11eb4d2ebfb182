-- A job's priority level; a damaged one counts as normal.
local function level_of(at, id)
  local level = redis.call('HGET', at.levels, id)
  if level and at.ready[level] then return level end
  return '1'
end
