-- audit_figures: looks at counters and times, and mends what is wrong with them.
-- Guarantee: a figure that can be read is not touched. A queue that is paused stays so.
-- KEYS[1] stats
-- KEYS[2] rates
-- KEYS[3] recent
-- KEYS[4] swept
-- KEYS[5] grace
-- KEYS[6] paused
-- ARGV[1] now  test clock, or '' for the server's
-- ARGV[2] mend  '1' to repair
-- ARGV[3] limit  of findings
-- Returns per finding 'structure: name' and the value.

local now, mends, left = now_ms(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
local found = {}
typed({KEYS[1], KEYS[2]}, {KEYS[3]}, {})

-- Nothing that is counted or timed reaches 10^18, and the server could not add to it.
local function is_figure(text) return text:match('^%d+$') and #text <= 18 end

local function report(what, value)
  if left == 0 then return false end
  left = left - 1
  found[#found + 1] = what
  found[#found + 1] = value:sub(1, 200)
  return mends
end

local known = {}
for _, name in ipairs({'enqueued', 'done', 'failed', 'dead', 'interrupted', 'cancelled'}) do
  known[name] = true
end
local function check(name, hash, is_known)
  local fields = redis.call('HSCAN', hash, '0', 'COUNT', '1000')[2]
  for i = 1, #fields, 2 do
    local field, value = fields[i], fields[i + 1]
    if not (is_known(field) and is_figure(value)) and report(name .. field, value) then
      redis.call('HDEL', hash, field)
    end
  end
end
check('stats: ', KEYS[1], function(field) return known[field] end)
check('rates: ', KEYS[2], function(field) return field:match('^%d+:[edf]$') end)

for _, entry in ipairs(redis.call('LRANGE', KEYS[3], 0, 999)) do
  if not entry:match('^%S+ %d+ %d+$') and report('recent: ', entry) then
    redis.call('LREM', KEYS[3], 0, entry)
  end
end
-- A grace that does not end would let nobody count as gone: no lease is longer than a month.
local latest = {['swept: '] = 1e18, ['grace: '] = now + 2592000000}
for name, key in pairs({['swept: '] = KEYS[4], ['grace: '] = KEYS[5]}) do
  local value = redis.call('GET', key)
  local is_right = not value or is_figure(value) and tonumber(value) <= latest[name]
  if not is_right and report(name, value) then redis.call('DEL', key) end
end
local paused = redis.call('GET', KEYS[6])
if paused and not is_figure(paused) and report('paused: ', paused) then
  redis.call('SET', KEYS[6], string.format('%.0f', now))
end
return found
