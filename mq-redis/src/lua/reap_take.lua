-- reap_take: takes the jobs of workers that `reap` has fenced out over to the reaper.
-- Guarantee: a job is in one receipt, the old one or the reaper's. A repeat gives the same jobs, a
-- late copy of an older request none.
-- KEYS[1] workers
-- KEYS[2] claims:<W>  of the reaper
-- KEYS[3] about
-- KEYS[4] stats
-- KEYS[5] gone
-- KEYS[5+w] claims:<W>  of the w-th worker
-- ARGV[1] reaper
-- ARGV[2] number  of the claim
-- ARGV[3] limit  of jobs
-- ARGV[3+w] worker  the w-th that is gone
-- Returns {ids, 1 if workers are left to be taken over, else 0}, or 'LOST' if the reaper itself is
-- not registered.

local reaper, number, left = ARGV[1], ARGV[2], tonumber(ARGV[3])
local lease = redis.call('ZSCORE', KEYS[1], reaper)
if not lease or lease == '0' then return 'LOST' end
local past = redis.call('HMGET', KEYS[2], number, 'last')
local function is_left() return redis.call('ZCOUNT', KEYS[1], 0, 0) > 0 and 1 or 0 end
if past[1] or is_used(number, past[2]) then return {past[1] or '', is_left()} end
-- All types before any change.
for k = 2, #KEYS do redis.call(k == 5 and 'LLEN' or 'HLEN', KEYS[k]) end

-- The claims of a worker in the order in which it made them.
local function numbers_of(claims)
  local numbers = {}
  for _, field in ipairs(redis.call('HKEYS', claims)) do
    if field ~= 'last' then numbers[#numbers + 1] = field end
  end
  table.sort(numbers, function(a, b) return a ~= b and is_used(a, b) end)
  return numbers
end

local taken = {}
local function take_over(claims, worker)
  for _, of in ipairs(numbers_of(claims)) do
    if left <= 0 then return end
    local ids = redis.call('HGET', claims, of)
    -- What is no whole id would shift all the ids after it.
    ids = ids:sub(1, #ids - #ids % 22)
    local part = ids:sub(1, 22 * left)
    taken[#taken + 1] = part
    left = left - #part / 22
    if part ~= ids then
      redis.call('HSET', claims, of, ids:sub(#part + 1))
      return
    end
    redis.call('HDEL', claims, of)
  end
  redis.call('DEL', claims)
  note_gone(KEYS[5], worker)
  redis.call('ZREM', KEYS[1], worker)
  redis.call('HDEL', KEYS[3], worker)
end

for w = 1, #ARGV - 3 do
  local worker = ARGV[3 + w]
  -- Only who is fenced out: a worker that has been taken over meanwhile has nothing left here.
  if redis.call('ZSCORE', KEYS[1], worker) == '0' then take_over(KEYS[5 + w], worker) end
end
local ids = table.concat(taken)
redis.call('HSET', KEYS[2], 'last', number)
if ids ~= '' then
  redis.call('HSET', KEYS[2], number, ids)
  tally(KEYS[4], 'interrupted', #ids / 22)
end
return {ids, is_left()}
