-- Whether an operator's request comes in its turn: 'now', which is noted; 'again' for a repeat of
-- the last one of its kind; 'late' if another one was carried out since it was begun.
local function ordered(orders, kind, name, previous)
  local past = redis.call('HMGET', orders, 'last', kind)
  if past[2] == name then return 'again' end
  if (past[1] or '') ~= previous then return 'late' end
  redis.call('HSET', orders, 'last', name, kind, name)
  return 'now'
end
