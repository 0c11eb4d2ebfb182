-- Takes a job out of a receipt.
local function cut_receipt(receipt, id)
  local ids = receipt.ids
  for p = 1, #ids - 21, 22 do
    if ids:sub(p, p + 21) == id then
      receipt.ids = ids:sub(1, p - 1) .. ids:sub(p + 22)
      if receipt.ids == '' then
        redis.call('HDEL', receipt.key, receipt.number)
      else
        redis.call('HSET', receipt.key, receipt.number, receipt.ids)
      end
      return
    end
  end
end
