UPDATE mq_workers
SET is_revoked = 1, until_ms = 0
WHERE queue = ?1 AND worker <> ?2 AND is_revoked = 0 AND until_ms <= ?3
RETURNING worker
