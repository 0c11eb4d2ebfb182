-- Takes many jobs out of a receipt: a letter for each goes to `letters`, those it held to `gone`.
local function cut_all(held, number, ids, letters, gone)
  local receipt = held.of[number]
  if type(receipt) == 'string' and receipt:sub(1, #ids) == ids then
    -- All that the claim holds, or all of its beginning: nothing has to be searched for.
    held.of[number], held.changed[number] = receipt:sub(#ids + 1), true
    letters[#letters + 1] = string.rep('A', #ids / 22)
    split_ids(ids, gone)
    return
  end
  for _, id in ipairs(split_ids(ids, {})) do
    local holds = cut(held, number, id)
    letters[#letters + 1] = holds and 'A' or 'R'
    if holds then gone[#gone + 1] = id end
  end
end
