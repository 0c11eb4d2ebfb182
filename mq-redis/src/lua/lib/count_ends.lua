-- Counts what became of jobs, in all and in this minute.
local function count_ends(stats, rates, now, count)
  local minute = string.format('%.0f:', math.floor(now / 60000))
  local totals = {
    {'done', count.done + count.retain, 'd'}, {'failed', count.failed, 'f'},
    {'dead', count.bury}, {'cancelled', count.cancel},
  }
  for _, total in ipairs(totals) do
    local name, by, letter = unpack(total)
    if by > 0 then
      tally(stats, name, by)
      if letter then tally(rates, minute .. letter, by) end
    end
  end
end
