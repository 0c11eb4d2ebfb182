SELECT last
FROM mq_workers
WHERE queue = ?1 AND worker = ?2 AND is_revoked = 0
