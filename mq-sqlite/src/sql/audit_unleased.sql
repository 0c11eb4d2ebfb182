SELECT DISTINCT worker, worker
FROM mq_jobs AS job
WHERE queue = ?1 AND state = 2
  AND length(worker) = 22 AND worker NOT GLOB '*[^0-9A-Z_a-z~]*'
  AND NOT EXISTS (
      SELECT 1 FROM mq_workers AS known
      WHERE known.queue = ?1 AND known.worker = job.worker AND known.is_revoked < 2
  )
LIMIT ?2
