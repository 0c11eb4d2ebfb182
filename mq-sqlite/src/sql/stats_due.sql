SELECT is_retry, count(*)
FROM mq_jobs
WHERE queue = ?1 AND state = 1
GROUP BY is_retry
