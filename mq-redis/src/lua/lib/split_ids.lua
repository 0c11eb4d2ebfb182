-- Splits ids that are written one after the other.
local function split_ids(ids)
  local list = {}
  for p = 1, #ids - 21, 22 do list[#list + 1] = ids:sub(p, p + 21) end
  return list
end
