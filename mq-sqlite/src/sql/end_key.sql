UPDATE mq_keys
SET free_ms = ?4
WHERE queue = ?1 AND key = ?2 AND id = ?3 AND free_ms IS NULL
