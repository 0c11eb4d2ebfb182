SELECT id, state, at_ms, worker, cancel, record, history
FROM mq_jobs
WHERE queue = ?1 AND id = ?2
