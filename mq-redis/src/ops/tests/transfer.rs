//! Transfers that are interrupted after each of their steps.

use mq_core::engine::{Act, EngineErrorKind, PruneLimits};
use mq_core::{Client, JobId, Record, State};

use super::{Kit, THEN_MS};
use crate::ops::transfer::{complete, steps, transfer};
use crate::ops::{delete, list, prune};

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
    assert_eq!(complete(&from.engine, &from.queue).await.unwrap().done, 4);
    assert_moved(&from, &to, &jobs).await;
    assert_eq!(complete(&from.engine, &from.queue).await.unwrap().done, 0);
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
    assert_eq!(complete(&from.engine, &from.queue).await.unwrap().done, 4);
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
    assert_eq!(complete(&from.engine, &from.queue).await.unwrap().done, 0);
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

async fn send_take(from: &Kit, to: &Kit, id: JobId) -> String {
    send_take_of(from, to, id, mq_core::clock::wall_ms()).await
}

/// Sends the first step of one hand-over as it would come over the wire.
async fn send_take_of(from: &Kit, to: &Kit, id: JobId, began_ms: u64) -> String {
    let workers = [from.worker.to_text().to_vec()];
    let to = to.queue.as_str().as_bytes().to_vec();
    let began = began_ms.to_string().into_bytes();
    let args = vec![id.to_text().to_vec(), b"token-token-token-tok1".to_vec(), began, to];
    let args = (1, args.into_iter());
    let script = &crate::script::TRANSFER_TAKE;
    let now = from.engine.now_arg();
    let call = crate::ops::verb::call(&from.engine, &from.queue, script, &now, &workers, args);
    crate::ops::answer::text(call.await.unwrap().unwrap().next().unwrap())
}

#[tokio::test]
async fn the_first_step_sent_twice_answers_the_same() {
    let (from, to, jobs) = two().await;
    for _ in 0..2 {
        assert_eq!(send_take(&from, &to, jobs[0].0).await, "applied");
    }
}

/// A copy that the network held back takes a job that has come back meanwhile: the destination
/// knows the hand-over, would not take it in again, and it would be erased here.
#[tokio::test]
async fn a_late_copy_of_the_first_step_takes_nothing() {
    let (from, to, jobs) = two().await;
    let id = jobs[1].0;
    assert_eq!(send_take(&from, &to, id).await, "applied");
    prune(&from).await;
    let acts = transfer(&from.engine, &to.queue, &from.queue, &[id]).await.unwrap();
    assert_eq!(acts, [Act::Applied]);
    assert_eq!(send_take(&from, &to, id).await, "applied");
    prune(&from).await;
    assert_eq!(from.number("ZSCORE", "scheduled", &[&id.to_text()]).await, Some(THEN_MS));
    assert_eq!(to.state(id).await, "absent");
    from.assert_sound().await;
}

async fn prune(kit: &Kit) {
    prune::prune(&kit.engine, &kit.queue, PruneLimits::default()).await.unwrap();
}

/// Jobs are moved away from a queue because nobody serves it, so nobody prunes it.
#[tokio::test]
async fn whoever_prunes_any_queue_completes_it() {
    let (from, to, jobs) = two().await;
    steps::take(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    prune(&from.beside("a third one")).await;
    assert_moved(&from, &to, &jobs).await;
}

/// What says that a hand-over was put must not be forgotten before its note.
#[tokio::test]
async fn put_and_run_long_ago_it_is_not_put_again() {
    let (from, to, jobs) = two().await;
    let day_ms = 86_400_000;
    from.engine.set_test_clock(THEN_MS);
    steps::take(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    steps::put(&from.engine, &from.queue, &ids(&jobs)).await.unwrap();
    let acts = delete::delete(&to.engine, &to.queue, &ids(&jobs)).await.unwrap();
    assert_eq!(acts, [Act::Applied; 4]);
    from.engine.set_test_clock(THEN_MS + day_ms + 1);
    for kit in [&to, &to, &from] {
        prune(kit).await;
    }
    for (id, place) in jobs {
        assert_eq!((from.state(id).await, to.state(id).await), ("absent", "absent"), "{place}");
    }
}

#[tokio::test]
async fn a_queue_is_not_its_own_destination() {
    let (from, _, jobs) = two().await;
    let error = transfer(&from.engine, &from.queue, &from.queue, &ids(&jobs)).await.unwrap_err();
    assert_eq!(error.kind(), EngineErrorKind::Invalid);
}

/// As of a process that was suspended between two steps.
#[tokio::test]
async fn a_step_that_comes_an_hour_late_changes_nothing() {
    let (from, to, jobs) = two().await;
    let hour_ms = 3_600_000;
    from.engine.set_test_clock(THEN_MS);
    steps::take(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    let engine = &from.engine;
    let later = || engine.set_test_clock(THEN_MS + hour_ms + 1);
    steps::put_after(engine, &from.queue, &ids(&jobs), later).await.unwrap_err();
    for (id, place) in &jobs {
        assert_eq!(to.state(*id).await, "absent", "{place}");
    }
    prune(&from).await;
    assert_moved(&from, &to, &jobs).await;
    let acts = transfer(engine, &to.queue, &from.queue, &ids(&jobs)).await.unwrap();
    assert_eq!(acts, [Act::Applied; 4]);
    assert_eq!(send_take_of(&from, &to, jobs[0].0, THEN_MS).await, "changed");
}

/// A queue that cannot be put to must not keep others from being pruned, and is not forgotten.
#[tokio::test]
async fn a_destination_that_is_damaged_is_waited_for() {
    let (from, to, jobs) = two().await;
    steps::take(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    to.raw("SET", "moved", &[b"damaged"]).await;
    let third = from.beside("a third one");
    prune(&third).await;
    to.raw("DEL", "moved", &[]).await;
    prune(&third).await;
    assert_moved(&from, &to, &jobs).await;
}

#[tokio::test]
async fn a_queue_is_listed_while_jobs_leave_it_and_a_day_longer() {
    let (from, to, jobs) = two().await;
    let hour_ms = 3_600_000;
    from.engine.set_test_clock(THEN_MS);
    transfer(&from.engine, &from.queue, &to.queue, &ids(&jobs)).await.unwrap();
    let listed = async || {
        let mut request = crate::link::Request::new();
        request.cmd(crate::ops::verb::command("SCARD", &from.engine.keys.transfers()));
        let count = crate::ops::answer::ask(&from.engine, &request).await.unwrap().next();
        crate::ops::answer::number(count.unwrap()).unwrap()
    };
    for (hours, expected) in [(23, 1), (26, 0)] {
        from.engine.set_test_clock(THEN_MS + hours * hour_ms);
        prune(&to).await;
        assert_eq!(listed().await, expected, "after {hours} h");
    }
}
