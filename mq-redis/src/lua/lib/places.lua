-- All places of a job, the furthest first: {word, key or receipt}. `deep` also looks into the ready
-- lists, at the cost of their length.
local function places(at, held, id, deep)
  local found = {}
  for _, receipt in ipairs(held[id] or {}) do
    found[#found + 1] = {'running', receipt}
  end
  if deep then
    for _, level in ipairs({'0', '1', '2'}) do
      for _ = 1, #redis.call('LPOS', at.ready[level], id, 'COUNT', 0) do
        found[#found + 1] = {'ready', at.ready[level]}
      end
    end
  end
  for _, name in ipairs({'scheduled', 'retry', 'moving', 'dead', 'done', 'cancelled'}) do
    if name == 'moving' then
      if redis.call('HEXISTS', at.moving, id) == 1 then found[#found + 1] = {name, at.moving} end
    elseif redis.call('ZSCORE', at.sets[name], id) then
      found[#found + 1] = {name, at.sets[name]}
    end
  end
  return found
end
