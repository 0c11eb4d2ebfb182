-- Reads a size of each key, which fails if its type is wrong: before anything has been changed.
local function touch(command, keys)
  for _, key in ipairs(keys) do redis.call(command, key) end
end
