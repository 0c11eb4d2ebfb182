-- Stores what is left of the receipts that were cut.
local function close_receipts(claims, held)
  local empty, rest = {}, {}
  for number in pairs(held.changed) do
    local receipt = held.of[number]
    if type(receipt) == 'table' then receipt = table.concat(receipt.list) end
    if receipt == '' then
      empty[#empty + 1] = number
    else
      rest[#rest + 1] = number
      rest[#rest + 1] = receipt
    end
  end
  bulk('HDEL', claims, empty)
  bulk('HSET', claims, rest)
end
