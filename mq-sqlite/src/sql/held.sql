SELECT pk, id, record, history
FROM mq_jobs
WHERE queue = ?1 AND state = 2 AND worker = ?2 AND number = ?3
ORDER BY seq
