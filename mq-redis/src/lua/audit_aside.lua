-- audit_aside: moves a key out of the way if it is not of the type that mq gave it.
-- Guarantee: nothing of it is lost, and a key of the right type is not touched.
-- KEYS[1] key
-- KEYS[2] aside  where it goes, if nothing is there
-- ARGV[1] type  that it should have
-- Returns 1 if it was moved, else 0.

local found = redis.call('TYPE', KEYS[1]).ok
if found == 'none' or found == ARGV[1] then return 0 end
return redis.call('RENAMENX', KEYS[1], KEYS[2])
