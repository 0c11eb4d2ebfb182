-- Fails with WRONGTYPE, before anything is changed, if a key is not of the type that mq gave it.
local function typed(hashes, lists, zsets)
  for _, key in ipairs(hashes) do redis.call('HLEN', key) end
  for _, key in ipairs(lists) do redis.call('LLEN', key) end
  for _, key in ipairs(zsets) do redis.call('ZCARD', key) end
end
