//! Taking over the jobs of workers that are gone, and never those of workers that are not.

use std::time::Duration;

use mq_core::engine::{BeatReply, Finished, PruneLimits, QueueReply};
use mq_core::lifecycle::Transition;
use mq_core::{JobId, State};

use crate::Fixture;
use crate::kit::{
    DAY, HOUR, Hand, LEASE, MS, Place, bring, draft, ids, listed, past, put_many, set, state,
    stored,
};

pub async fn takes_over_only_when_the_lease_has_ended(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 3).await;
    hand.take(3).await;
    assert_eq!(reaper.sweep_for(fixture, LEASE - MS).await, []);
    fixture.advance(MS * 2).await;
    let reply = reaper.reap(10).await;
    assert_eq!(set(&ids(&reply.jobs)), set(&sent));
    assert_eq!(reply.workers, [hand.worker]);
    assert!(!reply.lost && !reply.more);
    assert_eq!(reply.now_ms, fixture.now_ms());
}

pub async fn the_reaper_holds_what_it_took_and_ends_it(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let id = draft("q").key("k").payload("p").put(&engine).await;
    let history = past(2, 7);
    hand.end_with(&hand.one().await, Transition::Release, &history).await;
    let job = hand.one().await;
    let reaped = reaper.sweep_for(fixture, LEASE + MS).await;
    assert_eq!(ids(&reaped), [id]);
    assert_eq!((&reaped[0].record, &reaped[0].history), (&job.record, &job.history));
    assert_eq!(reaped[0].history, Some(history.encode()));
    assert_eq!(reaped[0].claim.worker, reaper.worker);
    let held = stored(&engine, "q", id).await.expect("the job");
    assert_eq!((held.state, held.worker), (State::Running, Some(reaper.worker)));
    let after = past(3, 8);
    let ended = reaper.end_with(&reaped[0], Transition::Release, &after).await;
    assert_eq!(ended, Finished::Applied);
    assert_eq!(reaper.one().await.history, Some(after.encode()));
}

pub async fn the_dead_worker_is_fenced_from_everything(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 2).await;
    let job = hand.one().await;
    reaper.sweep_for(fixture, LEASE + MS).await;
    let reply = hand.claim(5).await;
    assert_eq!((reply.jobs, reply.queues), (Vec::new(), vec![QueueReply::Lost]));
    assert_eq!(hand.beat(LEASE).await, BeatReply::Lost);
    assert_eq!(hand.end(&job, Transition::Done).await, Finished::Fenced);
    assert!(hand.reap(5).await.lost);
    let repeat = hand.ask(job.claim.clone(), 1).await;
    assert_eq!(repeat.jobs, [], "the repeat of an old claim must not give the job again");
}

pub async fn a_worker_that_renewed_in_time_is_left_alone(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let gone = Hand::join_for(&engine, "q", LEASE).await;
    let alive = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 4).await;
    gone.take(2).await;
    let jobs = alive.take(2).await;
    assert_eq!(reaper.sweep_for(fixture, LEASE / 2).await, []);
    alive.beat(LEASE).await;
    let reaped = reaper.sweep_for(fixture, LEASE / 2 + MS).await;
    assert_eq!(set(&ids(&reaped)), set(&sent[..2]));
    assert_eq!(alive.end(&jobs[0], Transition::Done).await, Finished::Applied);
}

pub async fn when_the_reaper_dies_too_the_next_one_takes_over(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let last = Hand::join(&engine, "q").await;
    let mut claims = Vec::new();
    let mut holder = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 7).await;
    let mut jobs = holder.take(7).await;
    for _ in 0..3 {
        let next = Hand::join_for(&engine, "q", LEASE * 2).await;
        let reaped = next.sweep_for(fixture, LEASE * 2 - MS).await;
        assert_eq!(set(&ids(&reaped)), set(&sent));
        claims.push((holder, jobs));
        (holder, jobs) = (next, reaped);
        // The next holder's lease ends with nobody sweeping in its place.
        holder.beat(LEASE).await;
    }
    claims.push((holder, jobs));
    let reaped = last.sweep_for(fixture, LEASE + MS).await;
    assert_eq!(set(&ids(&reaped)), set(&sent));
    for (holder, jobs) in claims {
        for job in jobs {
            assert_eq!(holder.end(&job, Transition::Done).await, Finished::Fenced);
        }
    }
    for job in reaped {
        assert_eq!(last.end(&job, Transition::Done).await, Finished::Applied);
    }
    assert_eq!(engine.workers(&last.queue).await.expect("workers").len(), 1);
}

pub async fn takes_at_most_the_limit_and_says_that_more_is_left(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let mut sent = Vec::new();
    for _ in 0..3 {
        let hand = Hand::join_for(&engine, "q", LEASE).await;
        sent.extend(put_many(&engine, "q", 25).await);
        hand.take(20).await;
        hand.take(5).await;
    }
    reaper.sweep_for(fixture, LEASE - MS).await;
    fixture.advance(MS * 2).await;
    let mut reaped: Vec<JobId> = Vec::new();
    while reaped.len() < 75 {
        let reply = reaper.reap(10).await;
        assert!((1..=10).contains(&reply.jobs.len()), "{} of 10", reply.jobs.len());
        reaped.extend(ids(&reply.jobs));
        assert!(reply.more || reaped.len() == 75, "no more after {}", reaped.len());
    }
    assert_eq!(set(&reaped), set(&sent));
    let reply = reaper.reap(10).await;
    assert!(reply.jobs.is_empty() && !reply.more);
    assert_eq!(engine.workers(&reaper.queue).await.expect("workers").len(), 1);
}

pub async fn a_repeat_gives_the_same_jobs_and_takes_nothing_new(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 20).await;
    hand.take(20).await;
    reaper.sweep_for(fixture, LEASE - MS).await;
    fixture.advance(MS * 2).await;
    let claim = reaper.token(1_000);
    let first = reaper.reap_as(claim.clone(), 8).await;
    assert_eq!(first.jobs.len(), 8);
    for _ in 0..2 {
        let again = reaper.reap_as(claim.clone(), 8).await;
        assert_eq!(set(&ids(&again.jobs)), set(&ids(&first.jobs)));
    }
    let late = reaper.reap_as(reaper.token(500), 8).await;
    assert_eq!(late.jobs, [], "a late duplicate of an old sweep");
    let rest = reaper.reap_as(reaper.token(1_001), 100).await;
    assert_eq!(rest.jobs.len(), 12);
}

pub async fn a_repeat_of_a_sweep_that_found_nothing_takes_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 2).await;
    hand.take(2).await;
    let claim = reaper.fresh();
    assert_eq!(reaper.reap_as(claim.clone(), 10).await.jobs, []);
    fixture.advance(LEASE).await;
    // A copy that was under way all the time: nobody would ever hear of what it took.
    let late = reaper.reap_as(claim, 10).await;
    assert_eq!((late.jobs, late.workers), (Vec::new(), Vec::new()));
    let reaped = reaper.sweep_for(fixture, LEASE / 2 + MS).await;
    assert_eq!(set(&ids(&reaped)), set(&sent));
}

pub async fn says_that_more_is_left_exactly_if_it_is(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 4).await;
    hand.take(4).await;
    reaper.sweep_for(fixture, LEASE - MS).await;
    fixture.advance(MS).await;
    let claim = reaper.fresh();
    for _ in 0..2 {
        // Also to a repeat: the first answer may have been lost, and with it that there is more.
        let reply = reaper.reap_as(claim.clone(), 2).await;
        assert_eq!((reply.jobs.len(), reply.more), (2, true));
    }
    let claim = reaper.fresh();
    for _ in 0..2 {
        let reply = reaper.reap_as(claim.clone(), 2).await;
        assert_eq!((reply.jobs.len(), reply.more), (2, false));
    }
}

pub async fn after_a_gap_without_sweeps_workers_may_report_first(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let gone = Hand::join_for(&engine, "q", LEASE).await;
    let frozen = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 4).await;
    gone.take(2).await;
    let jobs = frozen.take(2).await;
    reaper.reap(10).await;
    // The store was away for an hour: nobody could beat, nobody could sweep.
    fixture.advance(HOUR).await;
    let reply = reaper.reap(10).await;
    assert!(reply.jobs.is_empty() && reply.workers.is_empty(), "{reply:?}");
    let reply = frozen.beat(LEASE).await;
    assert!(matches!(reply, BeatReply::Extended { .. }), "{reply:?}");
    assert_eq!(reaper.sweep_for(fixture, LEASE / 2 - MS).await, []);
    let reaped = reaper.sweep_for(fixture, MS * 2).await;
    assert_eq!(set(&ids(&reaped)), set(&sent[..2]));
    assert_eq!(frozen.end(&jobs[0], Transition::Done).await, Finished::Applied);
}

pub async fn after_a_gap_of_most_of_a_lease_nobody_who_lives_is_gone(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 2).await;
    let jobs = hand.take(2).await;
    // About to beat again, as it does every third of its lease, when the store goes away.
    assert_eq!(reaper.sweep_for(fixture, LEASE / 3 - MS).await, []);
    fixture.advance(LEASE * 3 / 4).await;
    let reply = reaper.reap(10).await;
    assert!(reply.jobs.is_empty() && reply.workers.is_empty(), "{reply:?}");
    let reply = hand.beat(LEASE).await;
    assert!(matches!(reply, BeatReply::Extended { .. }), "{reply:?}");
    assert_eq!(hand.end(&jobs[0], Transition::Done).await, Finished::Applied);
}

pub async fn the_first_sweep_ever_also_finds_the_dead_in_time(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 2).await;
    hand.take(2).await;
    fixture.advance(HOUR).await;
    // Nobody ever swept here: the newcomer may grant a grace, but not more than half a lease.
    let reaper = Hand::join(&engine, "q").await;
    let mut reaped = reaper.reap(10).await.jobs;
    reaped.extend(reaper.sweep_for(fixture, LEASE / 2 + MS).await);
    assert_eq!(set(&ids(&reaped)), set(&sent));
}

pub async fn a_stranger_may_not_reap_and_is_told(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 2).await;
    hand.take(2).await;
    reaper.sweep_for(fixture, LEASE - MS).await;
    fixture.advance(MS * 2).await;
    let reply = Hand::stranger(&engine, "q").reap(10).await;
    assert!(reply.lost && reply.jobs.is_empty(), "{reply:?}");
    let reply = reaper.reap(10).await;
    assert!(!reply.lost);
    assert_eq!(reply.jobs.len(), 2);
}

pub async fn a_worker_without_jobs_just_disappears(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    Hand::join_for(&engine, "q", LEASE).await;
    assert_eq!(engine.workers(&reaper.queue).await.expect("workers").len(), 2);
    assert_eq!(reaper.sweep_for(fixture, LEASE + MS).await, []);
    let workers = engine.workers(&reaper.queue).await.expect("workers");
    assert_eq!(workers.len(), 1);
    assert_eq!(workers[0].worker, reaper.worker);
    let stats = engine.stats(&reaper.queue).await.expect("stats");
    assert_eq!(stats.interrupted_total, 0);
}

pub async fn a_worker_being_reaped_cannot_come_back(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 4).await;
    let jobs = hand.take(4).await;
    reaper.sweep_for(fixture, LEASE - MS).await;
    fixture.advance(MS * 2).await;
    let mut reaped = reaper.reap(1).await.jobs;
    assert_eq!(reaped.len(), 1);
    // Whatever it is told, the jobs that it had are not its own any more.
    let about = Default::default();
    let _ = engine.join(&hand.queue, hand.worker, LEASE, &about).await;
    let _ = hand.beat(LEASE).await;
    for job in &jobs {
        let late = hand.end(job, Transition::Done).await;
        assert_ne!(late, Finished::Applied);
    }
    reaped.extend(reaper.reap(10).await.jobs);
    assert_eq!(set(&ids(&reaped)), set(&sent));
    assert_eq!(listed(&engine, "q", State::Running).await.len(), 4);
}

pub async fn a_finish_that_is_late_but_before_the_sweep_counts(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 2).await;
    let jobs = hand.take(2).await;
    assert_eq!(hand.end(&jobs[0], Transition::Done).await, Finished::Applied);
    reaper.sweep_for(fixture, LEASE - MS).await;
    fixture.advance(MS * 2).await;
    // Either answer is right, but the job must be in one place after it.
    let late = hand.end(&jobs[1], Transition::Done).await;
    let reaped = ids(&reaper.reap(10).await.jobs);
    match late {
        Finished::Applied => assert_eq!(reaped, []),
        Finished::Fenced => assert_eq!(reaped, sent[1..]),
        other => panic!("{other:?}"),
    }
    assert_eq!(state(&engine, "q", sent[0]).await, None);
}

pub async fn many_reapers_take_each_job_once(fixture: &dyn Fixture) {
    const DEAD: usize = 8;
    let engine = fixture.engine();
    let keeper = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", DEAD * 30).await;
    for _ in 0..DEAD {
        Hand::join_for(&engine, "q", LEASE).await.take(30).await;
    }
    keeper.sweep_for(fixture, LEASE - MS).await;
    fixture.advance(MS * 2).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let handle = fixture.second().await;
        tasks.push(tokio::spawn(async move {
            let reaper = Hand::join(&handle, "q").await;
            let mut reaped = Vec::new();
            loop {
                let reply = reaper.reap(11).await;
                reaped.extend(ids(&reply.jobs));
                if reply.jobs.is_empty() && !reply.more {
                    return reaped;
                }
            }
        }));
    }
    let mut reaped = Vec::new();
    for task in tasks {
        reaped.extend(task.await.expect("a reaper"));
    }
    reaped.extend(ids(&keeper.reap(1_000).await.jobs));
    assert_eq!(set(&reaped), set(&sent));
    let stats = engine.stats(&keeper.queue).await.expect("stats");
    assert_eq!(stats.interrupted_total, sent.len() as u64);
}

pub async fn a_dead_worker_is_found_within_a_lease_and_a_sweep(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    for round in 0..5u32 {
        let hand = Hand::join_for(&engine, "q", LEASE).await;
        let sent = put_many(&engine, "q", 1).await;
        hand.take(1).await;
        fixture.advance(Duration::from_millis(500) * round).await;
        let reaped = reaper.sweep_for(fixture, LEASE + LEASE / 3).await;
        assert_eq!(ids(&reaped), sent, "round {round}");
    }
}

pub async fn after_forty_days_without_anybody_everything_is_there(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let mut brought = Vec::new();
    for place in [Place::Scheduled, Place::Retrying, Place::Dead, Place::Done, Place::Running] {
        brought.push(bring(fixture, &hand, draft("q").retention(HOUR), place).await);
    }
    let [scheduled, retrying, dead, done, running] = brought[..] else { panic!("{brought:?}") };
    let far = draft("q").after(DAY * 50).put(&engine).await;
    let mut waiting = put_many(&engine, "q", 5).await;
    waiting.push(draft("q").key("k").put(&engine).await);
    fixture.advance(DAY * 40).await;

    let next = Hand::join(&engine, "q").await;
    assert_eq!(ids(&next.sweep_for(fixture, LEASE * 2).await), [running]);
    let reply = draft("q").key("k").send(&engine).await;
    assert!(reply.duplicate && waiting.contains(&reply.id), "{reply:?}");
    waiting.extend([scheduled, retrying]);
    assert_eq!(set(&next.drain().await), set(&waiting));
    assert_eq!(listed(&engine, "q", State::Scheduled).await, [far]);
    // What rules take, they take when somebody applies them, and they leave the rest.
    assert_eq!(listed(&engine, "q", State::Done).await, [done]);
    engine.prune(&next.queue, PruneLimits::default()).await.expect("prune");
    assert_eq!(listed(&engine, "q", State::Done).await, []);
    assert_eq!(listed(&engine, "q", State::Dead).await, [dead]);
}
