-- With a lease that has ended, so that the next sweep takes its jobs over.
INSERT INTO mq_workers (queue, worker, until_ms, about)
VALUES (?1, ?2, 0, '{}')
ON CONFLICT DO UPDATE SET is_revoked = 1, until_ms = 0 WHERE is_revoked = 2
