-- The receipts that a finish names, by claim number: `of` as they are stored, or in parts once they
-- have been cut; `changed` says which. `first_move` is the first argument after the plain groups,
-- from where on every `width`-th is a claim number.
local function open_receipts(claims, first_move, width)
  local held, numbers, known = {of = {}, changed = {}}, {}, {}
  local function add(number)
    if not known[number] then
      known[number] = true
      numbers[#numbers + 1] = number
    end
  end
  for i = 5, first_move - 1, 2 do add(ARGV[i]) end
  for i = first_move, #ARGV, width do add(ARGV[i]) end
  if #numbers == 0 then return held end
  for i, ids in ipairs(redis.call('HMGET', claims, unpack(numbers))) do
    held.of[numbers[i]] = ids or ''
  end
  return held
end
