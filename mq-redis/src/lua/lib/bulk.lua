-- Calls a command on a key with any number of arguments, 1,000 at a time: unpack has a limit.
-- Returns the sum of the replies, which must be numbers.
local function bulk(command, key, args)
  local sum = 0
  for first = 1, #args, 1000 do
    local last = math.min(first + 999, #args)
    sum = sum + redis.call(command, key, unpack(args, first, last))
  end
  return sum
end
