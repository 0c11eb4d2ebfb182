//! Damage by hand, one sort after the other: it is found, mended as promised, and nothing is lost.

use mq_core::engine::{AuditReport, FindingKind};
use mq_core::{DeathReason, History, JobId, Record, WorkerId};

use super::{Kit, THEN_MS};
use crate::ops::audit::audit;

async fn look(kit: &Kit, repair: bool) -> AuditReport {
    audit(&kit.engine, &kit.queue, repair).await.unwrap()
}

/// Asserts that there is exactly one finding, and that a repair leaves none.
async fn assert_mended(kit: &Kit, kind: FindingKind, subject: &str) {
    for repair in [false, false, true] {
        let report = look(kit, repair).await;
        let found: Vec<_> = report.findings.iter().map(|f| (f.kind, f.subject.as_str())).collect();
        assert_eq!(found, [(kind, subject)], "{:?}", report.findings);
        assert_eq!(report.repaired, u64::from(repair));
    }
    kit.assert_sound().await;
}

#[tokio::test]
async fn a_sound_queue_has_no_findings() {
    let kit = Kit::new().await;
    for place in ["ready:high", "ready", "scheduled", "retry", "running", "dead", "done"] {
        let id = kit.job(place).await;
        kit.fail(id).await;
    }
    let report = look(&kit, true).await;
    assert_eq!((report.jobs, report.findings, report.repaired), (7, vec![], 0));
}

#[tokio::test]
async fn a_job_that_is_nowhere_becomes_ready() {
    let kit = Kit::new().await;
    let id = kit.record(&Record::new("kind", &b""[..])).await;
    kit.raw("HSET", "levels", &[&id.to_text(), b"2"]).await;
    assert_mended(&kit, FindingKind::Nowhere, &id.to_string()).await;
    assert_eq!(kit.number("LLEN", "ready:low", &[]).await, Some(1));
    assert_eq!(kit.number("ZCARD", "wake", &[]).await, Some(1));
}

#[tokio::test]
async fn a_job_in_two_places_stays_where_it_was_furthest() {
    let order = ["running", "ready", "scheduled", "dead"];
    for (at, first) in order.iter().enumerate() {
        for second in &order[at..] {
            if first == second && !matches!(*first, "running" | "ready") {
                continue;
            }
            let kit = Kit::new().await;
            // Neighbours that must not be harmed.
            let around = [kit.job(first).await, kit.job(second).await];
            let id = kit.job(second).await;
            kit.place(id, first).await;
            assert_mended(&kit, FindingKind::Twice, &id.to_string()).await;
            assert_eq!(kit.state(id).await, *first, "{first} and {second}");
            assert_eq!(kit.state(around[0]).await, *first);
            assert_eq!(kit.state(around[1]).await, *second);
        }
    }
}

#[tokio::test]
async fn an_entry_without_a_record_is_removed_wherever_it_is() {
    for place in ["ready", "scheduled", "retry", "dead", "done", "cancelled", "running"] {
        let kit = Kit::new().await;
        let around = kit.job(place).await;
        let id = JobId::new();
        kit.place(id, place).await;
        kit.fail(id).await;
        assert_mended(&kit, FindingKind::NoRecord, &id.to_string()).await;
        assert_ne!(kit.state(around).await, "absent");
    }
}

#[tokio::test]
async fn what_belongs_to_no_job_is_removed() {
    for place in ["history", "levels", "cancels"] {
        let kit = Kit::new().await;
        let id = JobId::new();
        kit.raw("HSET", place, &[&id.to_text(), b"2"]).await;
        assert_mended(&kit, FindingKind::Orphan, &id.to_string()).await;
    }
    let kit = Kit::new().await;
    kit.raw("HSET", "keys", &[b"k", &JobId::new().to_text()]).await;
    assert_mended(&kit, FindingKind::Orphan, "k").await;
    kit.raw("ZADD", "keys:expiry", &[b"1", b"k"]).await;
    assert_mended(&kit, FindingKind::Orphan, "k").await;
    let worker = WorkerId::random();
    kit.raw("HSET", "about", &[&worker.to_text(), b"{}"]).await;
    assert_mended(&kit, FindingKind::Orphan, &worker.to_string()).await;
}

#[tokio::test]
async fn a_key_that_waits_to_be_forgotten_is_no_orphan() {
    let kit = Kit::new().await;
    kit.raw("HSET", "keys", &[b"k", &JobId::new().to_text()]).await;
    kit.raw("ZADD", "keys:expiry", &[b"1", b"k"]).await;
    kit.assert_sound().await;
}

#[tokio::test]
async fn a_job_with_an_unreadable_transfer_note_is_freed() {
    let kit = Kit::new().await;
    let id = kit.record(&Record::new("kind", &b""[..])).await;
    kit.raw("HSET", "moving", &[&id.to_text(), b"garbage"]).await;
    let report = look(&kit, true).await;
    let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Orphan, FindingKind::Nowhere]);
    assert_eq!(kit.state(id).await, "ready");
    kit.assert_sound().await;
}

#[tokio::test]
async fn claims_of_nobody_are_given_to_a_worker_whose_lease_has_ended() {
    let kit = Kit::new().await;
    let id = kit.job("absent").await;
    kit.raw("HSET", "jobs", &[&id.to_text(), b"x"]).await;
    let worker = WorkerId::random();
    kit.hold(worker, &id.to_text()).await;
    let report = look(&kit, true).await;
    assert_eq!(report.findings[0].kind, FindingKind::Unleased);
    assert_eq!(report.findings[0].subject, worker.to_string());
    assert_eq!(kit.number("ZSCORE", "workers", &[&worker.to_text()]).await, Some(1));
    // Repaired first, so that the job is not found nowhere and made ready as well.
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(kit.state(id).await, "running");
    kit.assert_sound().await;
}

#[tokio::test]
async fn claims_of_nobody_are_not_reported_twice_without_a_repair() {
    let kit = Kit::new().await;
    let id = kit.job("absent").await;
    kit.raw("HSET", "jobs", &[&id.to_text(), b"\x0f of a newer mq"]).await;
    kit.hold(WorkerId::random(), &id.to_text()).await;
    let report = look(&kit, false).await;
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].kind, FindingKind::Unleased);
}

#[tokio::test]
async fn a_key_that_mq_does_not_know_is_reported_and_left_alone() {
    let kit = Kit::new().await;
    kit.raw("SET", "what:is:this", &[b"x"]).await;
    kit.raw("HSET", "claims:nobody", &[b"1", b"x"]).await;
    for repair in [true, false] {
        let report = look(&kit, repair).await;
        let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [FindingKind::Foreign; 2], "{:?}", report.findings);
        assert_eq!(report.repaired, 0);
    }
}

#[tokio::test]
async fn elements_that_are_no_jobs_are_shown_and_taken_out() {
    let structures = [
        ("RPUSH", "ready:low", &[b"garbage\n".as_slice()][..]),
        ("ZADD", "retry", &[b"1", b"garbage\n"]),
        ("ZADD", "dead", &[b"1", b"garbage\n"]),
        ("ZADD", "moved", &[b"1", b"garbage\n"]),
        ("HSET", "history", &[b"garbage\n", b"x"]),
        ("HSET", "levels", &[b"garbage\n", b"1"]),
        ("HSET", "cancels", &[b"garbage\n", b"1"]),
        ("HSET", "moving", &[b"garbage\n", b"1"]),
    ];
    for (command, key, args) in structures {
        let kit = Kit::new().await;
        let around = kit.job("ready").await;
        kit.raw(command, key, args).await;
        assert_mended(&kit, FindingKind::Garbage, r"garbage\n").await;
        assert_eq!(kit.state(around).await, "ready");
    }
}

#[tokio::test]
async fn a_record_under_what_is_no_id_becomes_a_dead_letter_with_its_bytes() {
    let kit = Kit::new().await;
    let record = Record::new("kind", &b"precious"[..]).encode();
    kit.raw("HSET", "jobs", &[b"no id", &record]).await;
    assert_mended(&kit, FindingKind::Garbage, "no id").await;
    let dead = kit.raw("ZRANGE", "dead", &[b"0", b"-1"]).await;
    let ids: Vec<_> =
        crate::ops::answer::list(dead).filter_map(crate::ops::answer::bytes).collect();
    let stored = kit.stored(JobId::parse(&ids[0]).unwrap()).await.unwrap();
    assert_eq!((ids.len(), stored.record), (1, record));
    let death = History::decode(&stored.history.unwrap()).death.unwrap();
    assert_eq!(death.reason, DeathReason::Malformed);
}

#[tokio::test]
async fn a_job_that_waits_with_an_unreadable_record_is_buried_with_its_bytes() {
    for place in ["ready", "scheduled", "retry"] {
        let kit = Kit::new().await;
        let id = kit.job(place).await;
        let past = kit.fail(id).await;
        kit.raw("HSET", "jobs", &[&id.to_text(), b"\x01garbage"]).await;
        assert_mended(&kit, FindingKind::Unreadable, &id.to_string()).await;
        let stored = kit.stored(id).await.unwrap();
        assert_eq!((stored.state.as_str(), &stored.record[..]), ("dead", &b"\x01garbage"[..]));
        let history = History::decode(&stored.history.unwrap());
        assert_eq!(history.attempts, past.attempts);
        assert_eq!(history.death.unwrap().reason, DeathReason::Malformed);
    }
}

#[tokio::test]
async fn what_a_newer_mq_wrote_and_what_has_ended_is_no_damage() {
    let kit = Kit::new().await;
    let newer = kit.job("ready").await;
    kit.raw("HSET", "jobs", &[&newer.to_text(), b"\x0f of a newer mq"]).await;
    for place in ["dead", "done", "running"] {
        let id = kit.job(place).await;
        kit.raw("HSET", "jobs", &[&id.to_text(), b"\x01garbage"]).await;
    }
    kit.assert_sound().await;
}

#[tokio::test]
async fn a_job_that_is_nowhere_goes_where_its_history_says_that_it_ended() {
    let kit = Kit::new().await;
    let dead = kit.record(&Record::new("kind", &b""[..])).await;
    let history = History::default().discarded(THEN_MS).encode();
    kit.raw("HSET", "history", &[&dead.to_text(), &history]).await;
    assert_mended(&kit, FindingKind::Nowhere, &dead.to_string()).await;
    assert_eq!(kit.state(dead).await, "dead");
    assert_eq!(kit.stored(dead).await.unwrap().at_ms, Some(THEN_MS));
    let done = kit.record(&Record::new("kind", &b""[..])).await;
    let mut history = History::default();
    history.ended_ms = Some(THEN_MS);
    kit.raw("HSET", "history", &[&done.to_text(), &history.encode()]).await;
    assert_mended(&kit, FindingKind::Nowhere, &done.to_string()).await;
    assert_eq!(kit.state(done).await, "done");
}

#[tokio::test]
async fn figures_that_are_none_are_shown_and_forgotten() {
    let figures = [
        ("stats", "done", "-1", "stats: done"),
        ("stats", "enqueued", "many", "stats: enqueued"),
        ("stats", "dead", "9223372036854775807", "stats: dead"),
        ("stats", "nonsense", "1", "stats: nonsense"),
        ("rates", "28000000:d", "-7", "rates: 28000000:d"),
        ("rates", "when:d", "7", "rates: when:d"),
    ];
    let kit = Kit::new().await;
    for (key, field, value, subject) in figures {
        kit.raw("HSET", key, &[field.as_bytes(), value.as_bytes()]).await;
        assert_mended(&kit, FindingKind::Garbage, subject).await;
    }
    for (key, value) in [("swept", "soon"), ("grace", "9999999999999999"), ("grace", "-1")] {
        kit.raw("SET", key, &[value.as_bytes()]).await;
        assert_mended(&kit, FindingKind::Garbage, &format!("{key}: ")).await;
    }
    kit.raw("SET", "paused", &[b"yes"]).await;
    assert_mended(&kit, FindingKind::Garbage, "paused: ").await;
    assert_eq!(kit.number("EXISTS", "paused", &[]).await, Some(1));
    kit.raw("RPUSH", "recent", &[b"of no use"]).await;
    assert_mended(&kit, FindingKind::Garbage, "recent: ").await;
    kit.raw("RPUSH", "recent", &[b"0Q7w6PGDS0rGnJ1ei8PQpG 12 1700000000000"]).await;
    kit.assert_sound().await;
}

#[tokio::test]
async fn a_level_that_is_none_counts_as_normal() {
    let kit = Kit::new().await;
    let id = kit.job("scheduled").await;
    kit.raw("HSET", "levels", &[&id.to_text(), b"7"]).await;
    assert_mended(&kit, FindingKind::Garbage, &id.to_string()).await;
    assert_eq!(kit.state(id).await, "scheduled");
}

#[tokio::test]
async fn a_receipt_keeps_the_ids_that_it_has() {
    let kit = Kit::new().await;
    let (one, other) = (kit.job("absent").await, kit.job("absent").await);
    for id in [one, other] {
        let record = Record::new("kind", &b""[..]).encode();
        kit.raw("HSET", "jobs", &[&id.to_text(), &record]).await;
    }
    let claims = format!("claims:{}", kit.worker);
    let torn = [&one.to_text()[..], &other.to_text()[..9]].concat();
    kit.raw("HSET", &claims, &[b"1", &torn, b"last", b"1"]).await;
    let subject = format!("{} 1", kit.worker);
    let report = look(&kit, true).await;
    let found: Vec<_> = report.findings.iter().map(|f| (f.kind, f.subject.as_str())).collect();
    let nowhere = other.to_string();
    assert_eq!(found, [(FindingKind::Garbage, &*subject), (FindingKind::Nowhere, &*nowhere)]);
    assert_eq!((kit.state(one).await, kit.state(other).await), ("running", "ready"));
    kit.assert_sound().await;
    kit.raw("HSET", &claims, &[b"last", b"the last"]).await;
    assert_mended(&kit, FindingKind::Garbage, &format!("{} last", kit.worker)).await;
}

#[tokio::test]
async fn a_worker_that_no_sweep_would_find_gone_gets_a_lease_that_has_ended() {
    for lease in [&b"inf"[..], b"-5"] {
        let kit = Kit::new().await;
        let id = kit.job("running").await;
        kit.raw("ZADD", "workers", &[lease, &kit.worker.to_text()]).await;
        assert_mended(&kit, FindingKind::Garbage, &kit.worker.to_string()).await;
        assert_eq!(kit.number("ZSCORE", "workers", &[&kit.worker.to_text()]).await, Some(1));
        assert_eq!(kit.state(id).await, "running");
    }
    let kit = Kit::new().await;
    kit.raw("ZADD", "workers", &[b"99999999999999", b"nobody"]).await;
    assert_mended(&kit, FindingKind::Garbage, "nobody").await;
    assert_eq!(kit.number("ZCARD", "workers", &[]).await, Some(1));
}

#[tokio::test]
async fn what_a_worker_has_left_behind_is_removed() {
    let kit = Kit::new().await;
    let worker = WorkerId::random();
    kit.raw("HSET", &format!("claims:{worker}"), &[b"last", b"7"]).await;
    assert_mended(&kit, FindingKind::Orphan, &worker.to_string()).await;
}

#[tokio::test]
async fn a_key_that_names_a_job_with_another_key_is_freed() {
    let kit = Kit::new().await;
    let mut record = Record::new("kind", &b""[..]);
    record.idempotency_key = Some("its own".into());
    let id = kit.record(&record).await;
    kit.place(id, "ready").await;
    kit.raw("HSET", "keys", &[b"its own", &id.to_text()]).await;
    kit.assert_sound().await;
    kit.raw("HSET", "keys", &[b"a strange one", &id.to_text()]).await;
    assert_mended(&kit, FindingKind::Orphan, "a strange one").await;
    assert_eq!(kit.number("HLEN", "keys", &[]).await, Some(1));
}

#[tokio::test]
async fn nobody_asks_to_cancel_what_has_ended() {
    for place in ["dead", "done", "cancelled"] {
        let kit = Kit::new().await;
        let id = kit.job(place).await;
        kit.raw("HSET", "cancels", &[&id.to_text(), b"1"]).await;
        assert_mended(&kit, FindingKind::Orphan, &id.to_string()).await;
        assert_eq!(kit.state(id).await, place);
    }
    let kit = Kit::new().await;
    for place in ["ready", "retry", "running"] {
        let id = kit.job(place).await;
        kit.raw("HSET", "cancels", &[&id.to_text(), b"1"]).await;
    }
    kit.assert_sound().await;
}

#[tokio::test]
async fn a_key_that_would_vanish_stays_and_one_that_would_stay_vanishes() {
    let kit = Kit::new().await;
    kit.job("ready").await;
    kit.raw("PEXPIRE", "jobs", &[b"99999999"]).await;
    assert_mended(&kit, FindingKind::Expiry, &kit.key("jobs")).await;
    assert_eq!(kit.raw("PTTL", "jobs", &[]).await, redis::Value::Int(-1));
    kit.raw("SET", "producer:p", &[b"7"]).await;
    assert_mended(&kit, FindingKind::Expiry, &kit.key("producer:p")).await;
    assert!(kit.number("PTTL", "producer:p", &[]).await > Some(0));
}

#[tokio::test]
async fn jobs_that_would_wake_nobody_get_a_marker_unless_the_queue_is_paused() {
    let kit = Kit::new().await;
    kit.job("ready").await;
    kit.raw("SET", "paused", &[b"1"]).await;
    kit.raw("DEL", "wake", &[]).await;
    kit.assert_sound().await;
    kit.raw("DEL", "paused", &[]).await;
    assert_mended(&kit, FindingKind::Asleep, &kit.key("wake")).await;
    assert_eq!(kit.number("ZCARD", "wake", &[]).await, Some(1));
}

#[tokio::test]
async fn a_queue_that_nobody_can_see_is_listed() {
    let kit = Kit::new().await;
    let hidden = kit.beside("hidden");
    hidden.job("dead").await;
    assert_mended(&hidden, FindingKind::Unlisted, "hidden").await;
    assert_eq!(crate::ops::queues::queues(&kit.engine).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_of_the_wrong_type_is_put_aside_and_what_it_held_is_found() {
    let kit = Kit::new().await;
    let id = kit.record(&Record::new("kind", &b""[..])).await;
    kit.raw("SET", "dead", &[b"not a sorted set"]).await;
    let report = look(&kit, false).await;
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].kind, FindingKind::WrongType);
    assert!(report.findings[0].detail.contains("string instead of zset"));
    let report = look(&kit, true).await;
    let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::WrongType, FindingKind::Nowhere]);
    assert_eq!(kit.state(id).await, "ready");
    kit.assert_sound().await;
    let kept = kit.raw("KEYS", "aside:dead:*", &[]).await;
    let kept: Vec<_> =
        crate::ops::answer::list(kept).filter_map(crate::ops::answer::bytes).collect();
    assert_eq!(kept.len(), 1);
    let suffix = String::from_utf8(kept[0].clone()).unwrap().replace(&kit.key(""), "");
    assert_eq!(kit.bytes("GET", &suffix, &[]).await.unwrap(), b"not a sorted set");
}

#[tokio::test]
async fn a_large_queue_is_read_in_pages_without_false_findings() {
    let kit = Kit::new().await;
    let ids: Vec<_> = (0..5_000).map(|_| JobId::new().to_text()).collect();
    let record = Record::new("kind", &b""[..]).encode();
    for (at, chunk) in ids.chunks(500).enumerate() {
        let fields: Vec<&[u8]> = chunk.iter().flat_map(|id| [&id[..], &record[..]]).collect();
        kit.raw("HSET", "jobs", &fields).await;
        let members: Vec<&[u8]> = chunk.iter().map(|id| &id[..]).collect();
        if at < 6 {
            kit.raw("RPUSH", "ready", &members).await;
        } else {
            let scored: Vec<&[u8]> = members.iter().flat_map(|id| [&b"5"[..], id]).collect();
            kit.raw("ZADD", "scheduled", &scored).await;
        }
    }
    kit.raw("ZADD", "wake", &[b"0", b"0"]).await;
    let report = look(&kit, true).await;
    assert_eq!((report.jobs, report.findings), (5_000, vec![]));
}

#[tokio::test]
async fn a_report_is_bounded_and_the_next_audit_finds_the_rest() {
    let kit = Kit::new().await;
    let ids: Vec<_> = (0..1_500).map(|_| JobId::new().to_text()).collect();
    let record = Record::new("kind", &b""[..]).encode();
    let fields: Vec<&[u8]> = ids.iter().flat_map(|id| [&id[..], &record[..]]).collect();
    kit.raw("HSET", "jobs", &fields).await;
    let report = look(&kit, true).await;
    assert_eq!(report.findings.len(), 1_000);
    let mut left = 1_500 - report.repaired;
    while left > 0 {
        let report = look(&kit, true).await;
        assert!(report.repaired > 0);
        left = left.saturating_sub(report.repaired);
    }
    assert_eq!(kit.number("LLEN", "ready", &[]).await, Some(1_500));
    kit.assert_sound().await;
}
