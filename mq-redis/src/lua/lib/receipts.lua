-- All receipts of the workers whose claims are the KEYS after number `first`, in the order of
-- `names`.
local function receipts(names, first)
  local all = {}
  for w, name in ipairs(names) do
    local key = KEYS[first + w]
    local fields = redis.call('HGETALL', key)
    for f = 1, #fields, 2 do
      if fields[f] ~= 'last' then
        all[#all + 1] = {worker = name, key = key, number = fields[f], ids = fields[f + 1]}
      end
    end
  end
  return all
end
