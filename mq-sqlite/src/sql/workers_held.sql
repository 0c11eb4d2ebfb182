SELECT id
FROM mq_jobs
WHERE queue = ?1 AND state = 2 AND worker = ?2
ORDER BY number, seq
LIMIT ?3
