-- Adds to a counter. One that is damaged, or full, is left to the audit: what has been written
-- before must not be followed by an error.
local function tally(hash, field, by)
  redis.pcall('HINCRBY', hash, field, by)
end
