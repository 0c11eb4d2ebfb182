-- audit_fields: one step of a walk over the fields of a hash, without its values.
-- Guarantee: reads only; records stay in the server.
-- KEYS[1] hash  jobs, history, levels, cancels, moving, keys or about
-- ARGV[1] cursor  '0' at first
-- ARGV[2] count  about how many fields
-- Returns {next cursor, '0' at the end; the fields}.

local step = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local fields = {}
for i = 1, #step[2], 2 do
  fields[#fields + 1] = step[2][i]
end
return {step[1], fields}
