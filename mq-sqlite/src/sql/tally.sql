UPDATE mq_queues
SET wakes = wakes + ?2, enqueued = enqueued + ?3, done = done + ?4, failed = failed + ?5,
    dead = dead + ?6, interrupted = interrupted + ?7
WHERE pk = ?1
RETURNING wakes
