-- Takes a job out of one of the places that `places` has found.
local function leave_place(place, id)
  local word, where = place[1], place[2]
  if word == 'running' then
    cut_receipt(where, id)
  elseif word == 'ready' then
    -- From the tail: of two entries in one list the one that has waited longer stays.
    redis.call('LREM', where, -1, id)
  elseif word == 'moving' then
    redis.call('HDEL', where, id)
  else
    redis.call('ZREM', where, id)
  end
end
