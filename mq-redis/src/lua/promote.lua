-- promote: moves due jobs to their ready lists.
-- Guarantee: no job before its time; scheduled ones and retries in turn, so that a flood of one
-- sort cannot hold up the other.
-- KEYS[1] scheduled
-- KEYS[2] retry
-- KEYS[3] levels
-- KEYS[4] ready:high
-- KEYS[5] ready
-- KEYS[6] ready:low
-- KEYS[7] wake
-- KEYS[8] paused
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] limit  at most 1000
-- Returns {how many were moved, 1 if more are due, else 0}.

local now, limit = now_ms(ARGV[1]), tonumber(ARGV[2])
local ready = {['0'] = KEYS[4], ['1'] = KEYS[5], ['2'] = KEYS[6]}
local lengths = ready_lengths(ready)
local function promote(set, most)
  return promote_due(set, KEYS[3], ready, lengths, now, most)
end

redis.call('ZCARD', KEYS[2])
local moved = promote(KEYS[1], math.ceil(limit / 2))
moved = moved + promote(KEYS[2], limit - moved)
moved = moved + promote(KEYS[1], limit - moved)
-- Also if nothing was moved: a marker may have been lost with the worker that had taken it.
if lengths['0'] + lengths['1'] + lengths['2'] > 0 and redis.call('EXISTS', KEYS[8]) == 0 then
  redis.call('ZADD', KEYS[7], 0, '0')
end
local due = next_due(KEYS[1], KEYS[2])
return {moved, due and due <= now and 1 or 0}
