INSERT INTO mq_jobs (queue, id, state, level, seq, at_ms, key, record)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
