-- Notes that a worker is gone, so that a late copy of its `join` does not let it in again. The last
-- thousand are remembered: a fleet that comes and goes must not fill the store.
local function note_gone(list, worker)
  redis.call('LPUSH', list, worker)
  redis.call('LTRIM', list, 0, 999)
end
