SELECT enqueued, done, failed
FROM mq_minutes
WHERE queue = ?1 AND minute = ?2
