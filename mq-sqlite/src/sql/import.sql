INSERT INTO mq_jobs (queue, id, state, level, seq, at_ms, is_retry, cancel, key, history, record)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
