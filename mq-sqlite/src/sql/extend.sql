UPDATE mq_workers
SET until_ms = ?3, about = coalesce(?4, about), housekeeper = coalesce(?5, housekeeper)
WHERE queue = ?1 AND worker = ?2 AND is_revoked = 0
