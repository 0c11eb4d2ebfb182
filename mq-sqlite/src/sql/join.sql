-- A worker that was fenced out or has left stays so: it learns by its next claim or beat.
INSERT INTO mq_workers (queue, worker, until_ms, housekeeper, about)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (queue, worker) DO UPDATE
SET until_ms = excluded.until_ms, housekeeper = excluded.housekeeper, about = excluded.about
WHERE is_revoked = 0
