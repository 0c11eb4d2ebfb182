-- With the time of their burial in the place of their lease, for those that are forgotten first.
UPDATE mq_workers
SET is_revoked = 2, until_ms = ?2
WHERE queue = ?1 AND is_revoked = 1
  AND NOT EXISTS (
      SELECT 1 FROM mq_jobs AS job
      WHERE job.queue = mq_workers.queue AND job.state = 2 AND job.worker = mq_workers.worker
  )
