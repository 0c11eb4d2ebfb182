SELECT key, key
FROM mq_keys
WHERE queue = ?1 AND free_ms IS NULL
  AND NOT EXISTS (SELECT 1 FROM mq_jobs AS job WHERE job.queue = ?1 AND job.id = mq_keys.id)
LIMIT ?2
