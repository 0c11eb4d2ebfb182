-- A key is free when its time is up and its job is gone; a kept job holds its key all the same.
SELECT id
FROM mq_keys
WHERE queue = ?1 AND key = ?2
  AND (
      free_ms IS NULL OR free_ms > ?3
      OR EXISTS (SELECT 1 FROM mq_jobs AS job WHERE job.queue = ?1 AND job.id = mq_keys.id)
  )
