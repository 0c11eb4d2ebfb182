SELECT id
FROM mq_jobs
WHERE queue = ?1 AND state = 4 AND state >= 3
ORDER BY at_ms, id
LIMIT ?2
