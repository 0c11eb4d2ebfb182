UPDATE mq_jobs
SET state = 2, at_ms = NULL, is_retry = 0, worker = ?2, number = ?3, seq = ?4
WHERE pk = ?1
