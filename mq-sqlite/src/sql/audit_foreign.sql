SELECT CAST(id AS TEXT)
FROM mq_jobs
WHERE queue = ?1
  AND (
      length(id) <> 22 OR typeof(id) <> 'text'
      OR CASE state
          WHEN 0 THEN seq IS NULL OR level NOT BETWEEN 0 AND 2
          WHEN 1 THEN at_ms IS NULL OR is_retry NOT IN (0, 1)
          WHEN 2 THEN worker IS NULL OR number IS NULL
          WHEN 3 THEN at_ms IS NULL
          WHEN 4 THEN at_ms IS NULL
          WHEN 5 THEN at_ms IS NULL
          ELSE 1
      END
  )
LIMIT ?2
