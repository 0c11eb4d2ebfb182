SELECT level, count(*)
FROM mq_jobs
WHERE queue = ?1 AND state = 0
GROUP BY level
