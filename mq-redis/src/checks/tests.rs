use mq_testkit::RedisServer;

use super::*;
use crate::link::USUAL;

async fn tell(link: &Link, command: &str) {
    let mut cmd = redis::Cmd::new();
    for word in command.split(' ') {
        cmd.arg(word);
    }
    let mut request = Request::new();
    request.cmd(cmd);
    let values = link.run(&request, USUAL).await.unwrap();
    assert!(!matches!(values[0], Value::ServerError(_)), "{values:?}");
}

fn report(info: &str, options: &[(&str, &str)]) -> Report {
    let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    let options = options.iter().map(own).collect();
    Report { info: info.replace('\n', "\r\n"), options, may_kill: true, ..Report::default() }
}

fn settings(url: &str) -> Settings {
    Settings::parse(url).unwrap()
}

#[tokio::test]
async fn what_changes_later_is_noticed() {
    let server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let link = Link::new(Arc::new(settings(&server.url())), "test");
    let first = look(&link, USUAL).await.unwrap();
    assert_eq!(first.unfit(link.settings()), None);
    let health = Arc::new(Health::new(&first, link.settings()));
    assert_eq!((health.durability(), health.warnings()), (Durability::Disk, vec![]));

    tell(&link, "CONFIG SET maxmemory-policy allkeys-lru appendfsync everysec").await;
    // Not a minute old yet.
    health.keep_up(&link);
    assert!(!health.is_looking.load(Ordering::Acquire));
    health.look_again(&link).await;
    assert_eq!(health.durability(), Durability::Disk1s);
    assert!(health.warnings()[0].contains("allkeys-lru"), "{:?}", health.warnings());

    tell(&link, "CONFIG SET maxmemory-policy noeviction appendonly no").await;
    health.look_again(&link).await;
    assert_eq!(health.durability(), Durability::Memory);
}

#[test]
fn servers_that_are_too_old_or_of_another_sort_are_refused() {
    let here = settings("redis://h");
    for (info, reason) in [
        ("redis_version:6.2.14", Some("Redis 6.2.14")),
        ("redis_version:7.0.0", None),
        ("redis_version:10.1.0", None),
        ("redis_version:7.2.4\nvalkey_version:7.1.9", Some("Valkey 7.1.9")),
        ("redis_version:7.2.4\nvalkey_version:8.0.1", None),
        ("redis_mode:sentinel", Some("Sentinel")),
        ("redis_mode:cluster", Some("cluster")),
        ("role:slave\nmaster_host:up\nmaster_port:7", Some("up:7")),
        ("role:master\nmaxmemory_policy:allkeys-random", Some("allkeys-random")),
        ("role:master\nmaxmemory_policy:noeviction", None),
        ("", None),
    ] {
        let unfit = report(info, &[]).unfit(&here);
        assert_eq!(unfit.is_some(), reason.is_some(), "{info}: {unfit:?}");
        assert!(unfit.unwrap_or_default().contains(reason.unwrap_or("")), "{info}");
    }
    let lenient =
        settings("redis://h?allow_old_version=true&allow_replica=true&allow_eviction=true");
    let info = "redis_version:5.0.0\nrole:slave\nmaxmemory_policy:allkeys-lru";
    assert_eq!(report(info, &[]).unfit(&lenient), None);
}

#[test]
fn an_operator_hears_what_to_type() {
    let safe = "aof_enabled:1\naof_last_write_status:ok\nconnected_slaves:1";
    let always = ("appendfsync", "always");
    let far = settings("redis://example.org");
    let one = |report: &Report, text: &str| {
        let warnings = report.warnings(&far);
        assert!(warnings.len() == 1 && warnings[0].contains(text), "{warnings:?}");
        assert!(warnings[0].starts_with("redis://example.org:6379: "), "{warnings:?}");
    };
    assert!(report(safe, &[always]).warnings(&far).is_empty());
    one(&report(safe, &[always, ("min-replicas-to-write", "0")]), "min-replicas-to-write 1");
    one(&Report { is_open: true, ..report(safe, &[always]) }, "password");
    one(&Report { may_kill: false, ..report(safe, &[always]) }, "+client|kill");
    one(&Report { now_ms: Some(100_000), wall_ms: 91_000, ..report(safe, &[always]) }, "9 s apart");
    one(&report("aof_enabled:0", &[always]), "appendonly yes");
    one(&report("aof_enabled:1\naof_last_write_status:err", &[always]), "failed");
    one(&report(safe, &[]), "+config|get");
    let open_here = Report { is_open: true, ..report(safe, &[always]) };
    assert!(open_here.warnings(&settings("redis://localhost")).is_empty());
}

#[test]
fn durability_is_never_more_than_was_read() {
    let claim = |info: &str, options: &[(&str, &str)]| report(info, options).durability();
    let (always, everysec) = (("appendfsync", "always"), ("appendfsync", "everysec"));
    assert_eq!(claim("aof_enabled:1", &[always]), Durability::Disk);
    assert_eq!(claim("aof_enabled:1", &[everysec]), Durability::Disk1s);
    assert_eq!(claim("aof_enabled:1", &[("appendfsync", "no")]), Durability::Memory);
    assert_eq!(claim("aof_enabled:1", &[]), Durability::Memory);
    assert_eq!(claim("aof_enabled:0", &[always]), Durability::Memory);
    assert_eq!(claim("aof_enabled:1\naof_last_write_status:err", &[always]), Durability::Memory);
    let pauses = ("no-appendfsync-on-rewrite", "yes");
    assert_eq!(claim("aof_enabled:1", &[always, pauses]), Durability::Memory);
}
