-- The workers named in ARGV[3], ARGV[4], ..., or nil if they are not those registered now: a worker
-- that joined since could hold jobs in claims that this call cannot see.
local function registered(workers)
  local names = {}
  for w = 1, tonumber(ARGV[2]) do
    names[w] = ARGV[2 + w]
    if not redis.call('ZSCORE', workers, names[w]) then return nil end
  end
  if redis.call('ZCARD', workers) ~= #names then return nil end
  return names
end
