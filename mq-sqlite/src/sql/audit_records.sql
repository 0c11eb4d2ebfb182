SELECT pk, id, CAST(record AS BLOB), history
FROM mq_jobs
WHERE queue = ?1 AND state IN (0, 1) AND pk > ?2
ORDER BY pk
LIMIT ?3
