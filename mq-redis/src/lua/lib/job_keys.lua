-- The keys that every verb on jobs takes, by name; claims follow after the last one.
local function job_keys()
  local at = {
    jobs = KEYS[1], history = KEYS[2], levels = KEYS[3],
    ready = {['0'] = KEYS[4], ['1'] = KEYS[5], ['2'] = KEYS[6]},
    sets = {scheduled = KEYS[7], retry = KEYS[8], dead = KEYS[9], done = KEYS[10],
            cancelled = KEYS[11]},
    workers = KEYS[12], keys = KEYS[13], expiry = KEYS[14], cancels = KEYS[15],
    moving = KEYS[16], stats = KEYS[17], wake = KEYS[18], moved = KEYS[19],
  }
  typed({at.jobs, at.history, at.levels, at.keys, at.cancels, at.moving, at.stats},
        {KEYS[4], KEYS[5], KEYS[6]},
        {KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], at.workers, at.expiry, at.wake, at.moved})
  for claims = 20, #KEYS do redis.call('HLEN', KEYS[claims]) end
  return at
end
