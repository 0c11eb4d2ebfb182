DELETE FROM mq_workers
WHERE queue = ?1 AND is_revoked = 2
  AND worker IN (
      SELECT worker FROM mq_workers
      WHERE queue = ?1 AND is_revoked = 2
      ORDER BY until_ms DESC
      LIMIT -1 OFFSET ?2
  )
