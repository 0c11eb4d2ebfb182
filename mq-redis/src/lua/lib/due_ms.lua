-- When a new job is due, in ms since 1970.
local function due_ms(when, ms, now)
  if when == 'after' then return now + tonumber(ms) end
  if when == 'at' then return tonumber(ms) end
  return now
end
