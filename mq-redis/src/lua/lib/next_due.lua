-- When the next scheduled job or retry is due, in ms since 1970; false if there is none.
local function next_due(scheduled, retry)
  local earliest = false
  for _, set in ipairs({scheduled, retry}) do
    local due = tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2])
    if due and (not earliest or due < earliest) then earliest = due end
  end
  return earliest
end
