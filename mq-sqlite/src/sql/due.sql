SELECT pk, level
FROM mq_jobs
WHERE queue = ?1 AND state = 1 AND is_retry = ?2 AND at_ms <= ?3
ORDER BY at_ms, id
LIMIT ?4
