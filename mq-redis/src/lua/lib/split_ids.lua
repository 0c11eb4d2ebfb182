-- Splits ids that are written one after the other, and adds them to a list, which it returns.
local function split_ids(ids, list)
  -- The innermost loop of a busy server: no lookups, no lengths.
  local sub, count = string.sub, #list
  for p = 1, #ids - 21, 22 do
    count = count + 1
    list[count] = sub(ids, p, p + 21)
  end
  return list
end
