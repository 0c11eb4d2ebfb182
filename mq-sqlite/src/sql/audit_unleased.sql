SELECT DISTINCT worker
FROM mq_jobs AS job
WHERE queue = ?1 AND state = 2 AND worker IS NOT NULL
  AND NOT EXISTS (
      SELECT 1 FROM mq_workers AS known
      WHERE known.queue = ?1 AND known.worker = job.worker AND known.is_revoked < 2
  )
LIMIT ?2
