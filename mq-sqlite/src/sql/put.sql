-- A request to cancel stands for as long as the job is to be run.
UPDATE mq_jobs
SET state = ?2, at_ms = ?3, is_retry = ?4, seq = ?5, worker = NULL, number = NULL,
    cancel = iif(?2 >= 3, 0, cancel)
WHERE pk = ?1
