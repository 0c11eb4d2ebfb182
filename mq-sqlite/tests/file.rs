//! The file: whose it is, who may read it, what is in it after its process has ended, and several
//! handles on it at once.

mod kit;

use std::sync::Arc;
use std::time::Duration;

use kit::{connect, directory, job, outside, path, queue, unfit, url};
use mq_core::engine::{Durability, Engine, EngineErrorKind, NewJob, PruneLimits, WaitReply};
use mq_core::{Client, JobId, WorkerId, clock};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_left_alone() {
    let directory = directory();
    outside(&path(&directory), "CREATE TABLE accounts (id)");
    let before = std::fs::read(path(&directory)).expect("the file");
    let text = unfit(&url(&directory)).await;
    assert!(text.contains("another program"), "{text}");
    assert_eq!(std::fs::read(path(&directory)).expect("the file"), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let directory = directory();
    let letter = "Dear all, this is not a database. ".repeat(100);
    std::fs::write(path(&directory), &letter).expect("write");
    let text = unfit(&url(&directory)).await;
    assert!(text.contains("not an SQLite database"), "{text}");
    assert_eq!(std::fs::read_to_string(path(&directory)).expect("the file"), letter);
}

#[tokio::test]
async fn the_tables_of_a_newer_version_are_refused_with_the_cure() {
    let directory = directory();
    drop(connect(&url(&directory)).await);
    outside(&path(&directory), "UPDATE mq_meta SET version = 99");
    let text = unfit(&url(&directory)).await;
    assert!(text.contains("version 99") && text.contains("upgrade"), "{text}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let directory = directory();
    let text = unfit(&format!("sqlite:{}/none/jobs.db", directory.path().display())).await;
    assert!(text.contains("none/jobs.db"), "{text}");
}

#[tokio::test]
async fn a_file_that_must_be_there_is_not_made() {
    let directory = directory();
    let careful = format!("{}?mode=rw", url(&directory));
    let text = unfit(&careful).await;
    assert!(text.contains("jobs.db is not there"), "{text}");
    assert!(!path(&directory).exists());
    drop(connect(&url(&directory)).await);
    connect(&careful).await;
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    engine.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory.path()).expect("the directory") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its log");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_leads_to_the_file_and_nothing_lies_beside_the_link() {
    let (directory, elsewhere) = (directory(), tempfile::tempdir().expect("a directory"));
    let link = elsewhere.path().join("link.db");
    std::os::unix::fs::symlink(path(&directory), &link).expect("a link");
    drop(connect(&url(&directory)).await);
    let engine = connect(&format!("sqlite:{}", link.display())).await;
    engine.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
    let beside: Vec<_> = std::fs::read_dir(elsewhere.path()).expect("the directory").collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    std::fs::rename(path(&directory), directory.path().join("moved.db")).expect("rename");
    engine.enqueue(vec![job()], PATIENCE).await.expect_err("the file behind it is gone");
}

#[tokio::test]
async fn jobs_are_there_when_the_file_is_opened_again() {
    let directory = directory();
    let job = job();
    let engine = connect(&url(&directory)).await;
    engine.enqueue(vec![job.clone()], PATIENCE).await.expect("enqueue");
    drop(engine);
    let engine = connect(&url(&directory)).await;
    let found = engine.get(&queue(), &[job.id]).await.expect("get");
    assert_eq!(found[0].as_ref().expect("the job").record, job.record);
    let reply = engine.wait(&[queue()], PATIENCE).await.expect("wait");
    assert_eq!(reply, WaitReply::Woken(queue()), "work that was there before the process");
}

#[tokio::test]
async fn a_file_has_a_name_of_its_own_which_it_keeps() {
    let (one, other) = (directory(), directory());
    let name = async |url: &str| connect(url).await.identity().await.expect("identity");
    let first = name(&url(&one)).await;
    assert_eq!(name(&url(&one)).await, first);
    assert_ne!(name(&url(&other)).await, first);
    assert_ne!(name("sqlite::memory:").await, name("sqlite::memory:").await);
}

#[tokio::test]
async fn a_client_is_connected_by_the_scheme() {
    let directory = directory();
    for (url, expected) in [
        ("sqlite::memory:".to_owned(), Durability::Memory),
        (url(&directory), Durability::Disk1s),
        (format!("{}?synchronous=full", url(&directory)), Durability::Disk),
    ] {
        let client = Client::connect(&url).await.expect("connect");
        assert_eq!(client.engine().durability(), expected, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_handle_on_the_file_wakes_those_who_wait() {
    let directory = directory();
    let (here, there) = (connect(&url(&directory)).await, connect(&url(&directory)).await);
    let here = Arc::new(here);
    for _ in 0..5 {
        let waiter = Arc::clone(&here);
        let waiting = tokio::spawn(async move { waiter.wait(&[queue()], PATIENCE).await });
        there.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
        let stored = clock::now();
        let reply = waiting.await.expect("the waiter").expect("wait");
        assert_eq!(reply, WaitReply::Woken(queue()));
        // The bar is 50 ms; a machine that is busy with other tests gets more.
        assert!(stored.elapsed() < Duration::from_secs(2), "{:?}", stored.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_caller_does_wrong_is_not_the_others_loss() {
    let directory = directory();
    let engine = Arc::new(connect(&url(&directory)).await);
    let mut callers = Vec::new();
    for number in 0..200 {
        let engine = Arc::clone(&engine);
        callers.push(tokio::spawn(async move {
            if number % 2 == 0 {
                engine.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
            } else {
                let error = engine.transfer(&queue(), &queue(), &[JobId::new()]).await;
                assert_eq!(error.expect_err("refused").kind(), EngineErrorKind::Invalid);
            }
        }));
    }
    for caller in callers {
        caller.await.expect("a caller");
    }
    assert_eq!(engine.stats(&queue()).await.expect("stats").ready, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_handles_may_write_at_once() {
    let directory = directory();
    let mut writers = Vec::new();
    for _ in 0..4 {
        let engine = connect(&url(&directory)).await;
        writers.push(tokio::spawn(async move {
            for _ in 0..50 {
                engine.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
            }
        }));
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
    let engine = connect(&url(&directory)).await;
    assert_eq!(engine.stats(&queue()).await.expect("stats").ready, 200);
}

#[tokio::test]
async fn an_audit_finds_what_was_damaged_from_outside_and_mends_it() {
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    let keyed = NewJob { idempotency_key: Some("key".to_owned()), ..job() };
    engine.enqueue(vec![keyed, job()], PATIENCE).await.expect("enqueue");
    let ghost = WorkerId::random();
    outside(&path(&directory), "DELETE FROM mq_jobs WHERE key IS NOT NULL");
    let running = format!("UPDATE mq_jobs SET state = 2, worker = '{ghost}', number = 1");
    outside(&path(&directory), &running);
    let report = engine.audit(&queue(), true).await.expect("audit");
    let subjects: Vec<_> = report.findings.iter().map(|found| found.subject.as_str()).collect();
    assert_eq!(subjects, ["key", &ghost.to_string()], "{report:#?}");
    assert_eq!(report.repaired, 2);
    let report = engine.audit(&queue(), false).await.expect("audit");
    assert_eq!(report.findings, []);
    engine.prune(&queue(), PruneLimits::default()).await.expect("prune");
}

/// A directory that others may write into, with a file of the user's own elsewhere.
#[cfg(unix)]
#[tokio::test]
async fn a_link_in_place_of_the_reserve_is_not_followed() {
    let (directory, elsewhere) = (directory(), tempfile::tempdir().expect("a directory"));
    let diary = elsewhere.path().join("diary");
    std::fs::write(&diary, "Dear diary").expect("write");
    let reserve = directory.path().join("jobs.db-reserve");
    std::os::unix::fs::symlink(&diary, &reserve).expect("a link");
    let engine = connect(&url(&directory)).await;
    engine.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
    assert_eq!(std::fs::read_to_string(&diary).expect("the diary"), "Dear diary");
    let made = std::fs::symlink_metadata(&reserve).expect("a reserve");
    assert!(made.is_file() && made.len() > 0, "{made:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_made_behind_a_link_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, elsewhere) = (directory(), tempfile::tempdir().expect("a directory"));
    let link = elsewhere.path().join("link.db");
    std::os::unix::fs::symlink(path(&directory), &link).expect("a link");
    connect(&format!("sqlite:{}", link.display())).await;
    let made = std::fs::metadata(path(&directory)).expect("the file");
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
}

/// Only root can make a link for somebody else; who that concerns is tested beside the code.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_link_that_another_user_has_made_is_refused() {
    let (directory, elsewhere) = (directory(), tempfile::tempdir().expect("a directory"));
    drop(connect(&url(&directory)).await);
    let link = elsewhere.path().join("link.db");
    std::os::unix::fs::symlink(path(&directory), &link).expect("a link");
    let is_root = std::os::unix::fs::lchown(&link, Some(65_534), None).is_ok();
    let url = format!("sqlite:{}", link.display());
    if is_root {
        let text = unfit(&url).await;
        assert!(text.contains("another user"), "{text}");
    } else {
        connect(&url).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn who_lets_everybody_write_is_warned_with_what_to_type() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
    };
    let warnings = async || connect(&url(&directory)).await.warnings();
    assert_eq!(warnings().await, [""; 0]);
    set(&path(&directory), 0o666);
    let [text] = &warnings().await[..] else { panic!("one warning") };
    assert!(text.contains("chmod o-w") && text.contains("jobs.db"), "{text}");
    set(directory.path(), 0o777);
    assert_eq!(warnings().await.len(), 2);
    // As /tmp is: nobody can replace another user's file.
    set(directory.path(), 0o1777);
    set(&path(&directory), 0o660);
    assert_eq!(warnings().await, [""; 0]);
}
