-- Whether a job's history is still what the caller read ('' for none), so that what he made of it
-- may replace it.
local function same_history(at, id, read)
  return (redis.call('HGET', at.history, id) or '') == read
end
