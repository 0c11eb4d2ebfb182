-- The key belongs to a job that exists again, or in another queue, unless another job has it.
INSERT INTO mq_keys (queue, key, id)
VALUES (?1, ?2, ?3)
ON CONFLICT (queue, key) DO UPDATE
SET id = excluded.id, free_ms = NULL
WHERE id = excluded.id
    OR free_ms <= ?4
    AND NOT EXISTS (SELECT 1 FROM mq_jobs AS job WHERE job.queue = ?1 AND job.id = mq_keys.id)
