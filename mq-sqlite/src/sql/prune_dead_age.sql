SELECT id
FROM mq_jobs
WHERE queue = ?1 AND state = 4 AND state >= 3 AND at_ms < ?2
ORDER BY at_ms, id
LIMIT ?3
