SELECT paused_ms, enqueued, done, failed, dead, interrupted
FROM mq_queues
WHERE pk = ?1
