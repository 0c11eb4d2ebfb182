-- A key that another job has there stays with that one.
INSERT INTO mq_keys (queue, key, id)
VALUES (?1, ?2, ?3)
ON CONFLICT (queue, key) DO UPDATE
SET free_ms = NULL
WHERE id = excluded.id
