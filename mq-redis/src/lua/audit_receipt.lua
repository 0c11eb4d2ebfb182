-- audit_receipt: puts a receipt in order that holds what is no id.
-- Guarantee: only if it is still as it was read.
-- KEYS[1] claims:<W>
-- ARGV[1] number
-- ARGV[2] read  the receipt as it was read
-- ARGV[3] ids  what it shall hold, '' to remove it
-- Returns 1 if it was done, else 0.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
