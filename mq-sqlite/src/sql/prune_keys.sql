SELECT key
FROM mq_keys
WHERE queue = ?1 AND free_ms IS NOT NULL AND free_ms <= ?2
  AND NOT EXISTS (SELECT 1 FROM mq_jobs AS job WHERE job.queue = ?1 AND job.id = mq_keys.id)
LIMIT ?3
