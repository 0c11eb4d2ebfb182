//! Damage by hand, one sort after the other: it is found, mended as promised, and nothing is lost.

use mq_core::engine::{AuditReport, FindingKind};
use mq_core::{JobId, Record, WorkerId};

use super::Kit;
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
    kit.raw("HSET", "jobs", &[&id.to_text(), b"x"]).await;
    kit.hold(WorkerId::random(), &id.to_text()).await;
    let report = look(&kit, false).await;
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].kind, FindingKind::Unleased);
}

#[tokio::test]
async fn what_mq_did_not_write_is_reported_and_left_alone() {
    let kit = Kit::new().await;
    kit.raw("SET", "what:is:this", &[b"x"]).await;
    kit.raw("RPUSH", "ready", &[b"garbage\n"]).await;
    kit.raw("ZADD", "retry", &[b"1", b"more garbage"]).await;
    kit.raw("HSET", "jobs", &[b"x", b"y"]).await;
    kit.raw("HSET", "stats", &[b"done", b"-1"]).await;
    kit.raw("HSET", &format!("claims:{}", kit.worker), &[b"1", b"short"]).await;
    for repair in [true, false] {
        let report = look(&kit, repair).await;
        let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [FindingKind::Foreign; 6], "{:?}", report.findings);
        assert_eq!(report.repaired, 0);
        assert!(report.findings.iter().any(|finding| finding.subject == r"garbage\n"));
    }
}

#[tokio::test]
async fn a_key_of_the_wrong_type_stops_the_repair_of_all_else() {
    let kit = Kit::new().await;
    let id = kit.record(&Record::new("kind", &b""[..])).await;
    kit.raw("SET", "dead", &[b"not a sorted set"]).await;
    let report = look(&kit, true).await;
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].kind, FindingKind::Foreign);
    assert!(report.findings[0].detail.contains("string instead of zset"));
    kit.raw("DEL", "dead", &[]).await;
    assert_mended(&kit, FindingKind::Nowhere, &id.to_string()).await;
}

#[tokio::test]
async fn a_large_queue_is_read_in_pages_without_false_findings() {
    let kit = Kit::new().await;
    let ids: Vec<_> = (0..5_000).map(|_| JobId::new().to_text()).collect();
    for (at, chunk) in ids.chunks(500).enumerate() {
        let fields: Vec<&[u8]> = chunk.iter().flat_map(|id| [&id[..], &b"record"[..]]).collect();
        kit.raw("HSET", "jobs", &fields).await;
        let members: Vec<&[u8]> = chunk.iter().map(|id| &id[..]).collect();
        if at < 6 {
            kit.raw("RPUSH", "ready", &members).await;
        } else {
            let scored: Vec<&[u8]> = members.iter().flat_map(|id| [&b"5"[..], id]).collect();
            kit.raw("ZADD", "scheduled", &scored).await;
        }
    }
    let report = look(&kit, true).await;
    assert_eq!((report.jobs, report.findings), (5_000, vec![]));
}

#[tokio::test]
async fn a_report_is_bounded_and_the_next_audit_finds_the_rest() {
    let kit = Kit::new().await;
    let ids: Vec<_> = (0..1_500).map(|_| JobId::new().to_text()).collect();
    let fields: Vec<&[u8]> = ids.iter().flat_map(|id| [&id[..], &b"record"[..]]).collect();
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
