-- The lengths of the ready lists, by level. Also the check that they are lists: it must come before
-- the first id is taken out of anything.
local function ready_lengths(ready)
  return {
    ['0'] = redis.call('LLEN', ready['0']),
    ['1'] = redis.call('LLEN', ready['1']),
    ['2'] = redis.call('LLEN', ready['2']),
  }
end
