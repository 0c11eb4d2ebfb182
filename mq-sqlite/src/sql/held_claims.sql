SELECT number, count(*)
FROM mq_jobs
WHERE queue = ?1 AND state = 2 AND worker = ?2
GROUP BY number
