-- Takes a job out of its place, as `standing` named it; the same script must put it elsewhere.
-- O(1), but for a ready list O(distance from its nearer end). The list of the job's level comes
-- first, and the others only if it is not there, as after damage.
local function take_out(at, state, id)
  if at.sets[state] then
    redis.call('ZREM', at.sets[state], id)
    return
  end
  local level = level_of(at, id)
  local list = at.ready[level]
  if redis.call('LREM', list, near_end(list, id), id) == 1 then return end
  for other, key in pairs(at.ready) do
    if other ~= level and redis.call('LREM', key, 1, id) == 1 then return end
  end
end
