-- The key belongs to a job that exists again, unless another job has it by now.
UPDATE mq_keys
SET free_ms = NULL
WHERE queue = ?1 AND key = ?2 AND id = ?3
