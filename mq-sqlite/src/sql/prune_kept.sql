SELECT id FROM mq_jobs WHERE queue = ?1 AND state = 3 AND state >= 3 AND at_ms <= ?2
UNION ALL
SELECT id FROM mq_jobs WHERE queue = ?1 AND state = 5 AND state >= 3 AND at_ms <= ?2
LIMIT ?3
