SELECT state, count(*)
FROM mq_jobs
WHERE queue = ?1 AND state >= 3
GROUP BY state
