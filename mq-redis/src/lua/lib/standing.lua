-- Where a job is: 'moving', the name of its sorted set with its score, 'running' with its worker,
-- or 'ready'; nil if there is no such job. Ready is what is left when all else is excluded: a look
-- into the list would cost its length for every id. Only the audit does that.
local function standing(at, holder, id)
  if redis.call('HEXISTS', at.jobs, id) == 0 then return nil end
  local note = redis.call('HGET', at.moving, id)
  if note then return 'moving', note end
  for name, key in pairs(at.sets) do
    local score = redis.call('ZSCORE', key, id)
    if score then return name, score end
  end
  local worker = holder(id)
  if worker then return 'running', worker end
  return 'ready', ''
end
