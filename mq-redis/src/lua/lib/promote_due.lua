-- Moves ids that are due from a sorted set to the ready lists, at most `limit`, the earliest first.
-- `lengths` are the lists' lengths, kept up to date. Returns how many were moved.
local function promote_due(set, levels, ready, lengths, now, limit)
  if limit <= 0 then return 0 end
  local due = redis.call('ZRANGE', set, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)
  if #due == 0 then return 0 end
  local pushed = {['0'] = {}, ['1'] = {}, ['2'] = {}}
  if redis.call('EXISTS', levels) == 1 then
    for i, level in ipairs(redis.call('HMGET', levels, unpack(due))) do
      local ids = pushed[level] or pushed['1']
      ids[#ids + 1] = due[i]
    end
  else
    pushed['1'] = due
  end
  for level, ids in pairs(pushed) do
    if #ids > 0 then lengths[level] = redis.call('RPUSH', ready[level], unpack(ids)) end
  end
  redis.call('ZREM', set, unpack(due))
  return #due
end
