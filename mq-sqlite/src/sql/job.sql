SELECT pk, state, level, worker, number, key, cancel
FROM mq_jobs
WHERE queue = ?1 AND id = ?2
