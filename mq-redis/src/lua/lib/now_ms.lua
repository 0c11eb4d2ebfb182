-- The time in ms since 1970: what the test clock says if it says something, else the server's.
local function now_ms(now)
  if now ~= '' then return tonumber(now) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
