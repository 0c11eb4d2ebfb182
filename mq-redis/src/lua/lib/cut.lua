-- Takes a job out of a receipt, if it is there. The receipt is taken apart when it is first cut: a
-- search for each id would cost the square of the batch.
local function cut(held, number, id)
  local receipt = held.of[number]
  if type(receipt) == 'string' then
    local list, at = split_ids(receipt, {}), {}
    for p, of in ipairs(list) do
      -- Twice in one receipt, as after damage: once is enough.
      if at[of] then list[p] = '' else at[of] = p end
    end
    receipt = {list = list, at = at}
    held.of[number] = receipt
  end
  local p = receipt.at[id]
  if not p then return false end
  receipt.at[id], receipt.list[p] = nil, ''
  held.changed[number] = true
  return true
end
