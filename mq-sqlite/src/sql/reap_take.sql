-- CROSS keeps this order of the tables: few workers are gone, and many jobs may be running.
SELECT job.pk
FROM mq_workers AS gone
CROSS JOIN mq_jobs AS job
    ON job.queue = gone.queue AND job.worker = gone.worker AND job.state = 2
WHERE gone.queue = ?1 AND gone.is_revoked = 1
ORDER BY gone.worker, job.number, job.seq
LIMIT ?2
