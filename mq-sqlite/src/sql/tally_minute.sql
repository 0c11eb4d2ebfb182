INSERT INTO mq_minutes (queue, minute, enqueued, done, failed)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (queue, minute) DO UPDATE
SET enqueued = enqueued + excluded.enqueued, done = done + excluded.done,
    failed = failed + excluded.failed
