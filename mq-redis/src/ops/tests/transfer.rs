//! Transfers that are interrupted after each of their steps.

use mq_core::engine::{Act, EngineErrorKind};
use mq_core::{Client, JobId, Record, State};

use super::{Kit, THEN_MS};
use crate::ops::transfer::{complete, steps, transfer};
use crate::ops::{delete, list};

/// Two queues, and jobs with everything in each place that can be left.
async fn two() -> (Kit, Kit, Vec<(JobId, &'static str)>) {
    let from = Kit::new().await;
    let to = from.beside("the other one");
    let mut jobs = Vec::new();
    for place in ["ready:high", "scheduled", "retry", "dead"] {
        let mut record = Record::new("kind", &b"payload"[..]);
        record.idempotency_key = Some(place.into());
        let id = from.record(&record).await;
        from.raw("HSET", "levels", &[&id.to_text(), b"0"]).await;
        from.raw("HSET", "keys", &[place.as_bytes(), &id.to_text()]).await;
        from.fail(id).await;
        from.place(id, place).await;
        jobs.push((id, place));
    }
    (from, to, jobs)
}

/// Asserts that all is at the destination as it was, and nothing at the source.
async fn assert_moved(from: &Kit, to: &Kit, jobs: &[(JobId, &'static str)]) {
    for (id, place) in jobs {
        assert_eq!(from.state(*id).await, "absent", "{place}");
        let text = id.to_text();
        let job = to.stored(*id).await.unwrap();
        assert!(job.history.is_some(), "{place}");
        assert_eq!(to.bytes("HGET", "levels", &[&text]).await.as_deref(), Some(&b"0"[..]));
        let key = to.bytes("HGET", "keys", &[place.as_bytes()]).await;
        assert_eq!(key.as_deref(), Some(&text[..]), "{place}");
        match *place {
            "ready:high" => assert_eq!(to.number("LLEN", place, &[]).await, Some(1)),
            _ => assert_eq!(to.number("ZSCORE", place, &[&text]).await, Some(THEN_MS)),
        }
        // A producer that repeats itself at the source does not make a second job.
        assert!(from.number("ZSCORE", "keys:expiry", &[place.as_bytes()]).await.is_some());
    }
    for key in ["jobs", "history", "levels", "moving"] {
        assert_eq!(from.number("HLEN", key, &[]).await, Some(0), "{key}");
    }
    from.assert_sound().await;
    to.assert_sound().await;
}

fn ids(jobs: &[(JobId, &'static str)]) -> Vec<JobId> {
    jobs.iter().map(|(id, _)| *id).collect()
}

/// A job that is between two queues must not be brought to the other store with both.
#[tokio::test]
async fn a_move_to_another_store_completes_a_transfer_first() {
    let (from, to, jobs) = two().await;
    steps::take(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    let here = Client::with_engine(from.engine.clone());
    let there = Client::with_engine(super::engine().await);
    let queues = [&from.queue, &to.queue].map(ToString::to_string);
    let report = here.admin().move_to(&there).queues(queues).await.unwrap();
    assert_eq!((report.moved(), report.is_complete()), (4, true));
    for (queue, expected) in [(&from.queue, 0), (&to.queue, 4)] {
        let found = there.engine().get(queue, &ids(&jobs)).await.unwrap();
        assert_eq!(found.iter().flatten().count(), expected, "{queue}");
    }
}

#[tokio::test]
async fn everything_comes_along() {
    let (from, to, jobs) = two().await;
    let acts = transfer(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    assert_eq!(acts, [Act::Applied; 4]);
    assert_moved(&from, &to, &jobs).await;
    let queues = crate::ops::queues::queues(&from.engine).await.unwrap();
    assert_eq!(queues, [from.queue, to.queue]);
}

#[tokio::test]
async fn interrupted_after_the_first_step_it_is_seen_as_scheduled_and_completed() {
    let (from, to, jobs) = two().await;
    steps::take(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    for (id, place) in &jobs {
        assert_eq!(from.state(*id).await, "scheduled", "{place}");
        assert_eq!(to.state(*id).await, "absent", "{place}");
    }
    from.assert_sound().await;
    let request = mq_core::engine::ListRequest {
        queue: from.queue.clone(),
        state: State::Scheduled,
        cursor: None,
        limit: 10,
    };
    assert_eq!(list::list(&from.engine, request).await.unwrap().jobs.len(), 4);
    assert_eq!(complete(&from.engine, &from.queue).await.unwrap(), 4);
    assert_moved(&from, &to, &jobs).await;
    assert_eq!(complete(&from.engine, &from.queue).await.unwrap(), 0);
}

#[tokio::test]
async fn interrupted_after_the_second_step_it_is_not_put_twice() {
    let (from, to, jobs) = two().await;
    steps::take(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    steps::put(&from.engine, &from.queue, &ids(&jobs)).await.unwrap();
    // One of them has been run there meanwhile and is gone.
    let (gone, _) = jobs[0];
    let acts = delete::delete(&to.engine, &to.queue, &[gone]).await.unwrap();
    assert_eq!(acts, [Act::Applied]);
    assert_eq!(complete(&from.engine, &from.queue).await.unwrap(), 4);
    assert_eq!(to.state(gone).await, "absent");
    assert_eq!(to.number("LLEN", "ready:high", &[]).await, Some(0));
    assert_moved(&from, &to, &jobs[1..]).await;
}

#[tokio::test]
async fn a_verb_on_a_job_between_two_queues_completes_the_transfer_first() {
    let (from, to, jobs) = two().await;
    steps::take(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    let acts = delete::delete(&from.engine, &from.queue, &ids(&jobs)[..1]).await.unwrap();
    assert_eq!(acts, [Act::NotFound]);
    assert_moved(&from, &to, &jobs).await;
}

#[tokio::test]
async fn there_and_back_again_while_the_first_way_is_not_completed() {
    let (from, to, jobs) = two().await;
    let all = ids(&jobs);
    steps::take(&from.engine, &from.queue, &to.queue, &all).await.unwrap();
    steps::put(&from.engine, &from.queue, &all).await.unwrap();
    let acts = transfer(&to.engine, &to.queue, &from.queue, &all).await.unwrap();
    assert_eq!(acts, [Act::Applied; 4]);
    assert_eq!(complete(&from.engine, &from.queue).await.unwrap(), 0);
    for (id, place) in &jobs {
        assert!(from.stored(*id).await.is_some(), "{place}");
        assert_eq!(to.state(*id).await, "absent", "{place}");
    }
    from.assert_sound().await;
    to.assert_sound().await;
    for _ in 0..3 {
        let acts = transfer(&from.engine, &from.queue, &to.queue, &all).await.unwrap();
        assert_eq!(acts, [Act::Applied; 4]);
        let acts = transfer(&from.engine, &to.queue, &from.queue, &all).await.unwrap();
        assert_eq!(acts, [Act::Applied; 4]);
    }
    assert!(from.stored(all[0]).await.is_some());
    from.assert_sound().await;
}

#[tokio::test]
async fn the_first_step_sent_twice_answers_the_same() {
    let (from, to, jobs) = two().await;
    let id = jobs[0].0.to_text();
    for _ in 0..2 {
        let workers = [from.worker.to_text().to_vec()];
        let args = (1, [id.to_vec(), b"token-token-token-tok1".to_vec()].into_iter());
        let to = to.queue.as_str().as_bytes();
        let script = &crate::script::TRANSFER_TAKE;
        let call = crate::ops::verb::call(&from.engine, &from.queue, script, to, &workers, args);
        let reply = call.await.unwrap().unwrap().next().unwrap();
        assert_eq!(crate::ops::answer::text(reply), "applied");
    }
}

#[tokio::test]
async fn a_queue_is_not_its_own_destination() {
    let (from, _, jobs) = two().await;
    let error = transfer(&from.engine, &from.queue, &from.queue, &ids(&jobs)).await.unwrap_err();
    assert_eq!(error.kind(), EngineErrorKind::Invalid);
}
