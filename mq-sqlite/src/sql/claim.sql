SELECT pk, id, record, history
FROM mq_jobs
WHERE queue = ?1 AND state = 0
ORDER BY level, seq
LIMIT ?2
