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
    // The server that is here may be of any age.
    let url = format!("{}?allow_old_version=true", server.url());
    let link = Link::new(Arc::new(settings(&url)), "test");
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
fn a_server_without_a_password_that_other_machines_reach_is_warned_of_also_from_beside_it() {
    let here = settings("redis://localhost");
    for (protected, bind, is_exposed) in [
        ("no", "* -::*", true),
        // No address at all, which leaves the socket.
        ("no", "", false),
        ("no", "127.0.0.1 192.168.1.7", true),
        ("no", "0.0.0.0", true),
        ("no", "127.0.0.1 -::1", false),
        ("yes", "* -::*", false),
    ] {
        let options = [("appendfsync", "always"), ("protected-mode", protected), ("bind", bind)];
        let open = Report { is_open: true, ..report("aof_enabled:1", &options) };
        let warnings = open.warnings(&here);
        assert_eq!(warnings.len(), usize::from(is_exposed), "{protected} {bind}: {warnings:?}");
        assert!(warnings.iter().all(|text| text.contains("ACL SETUSER default >password")));
        let with_password = Report { is_open: false, ..open };
        assert!(with_password.warnings(&here).is_empty());
    }
}

#[test]
fn servers_with_holes_in_their_script_engine_are_warned_of_with_the_releases_that_have_none() {
    let here = settings("redis://localhost");
    let warnings = |version: &str, settings: &Settings| {
        let info = format!("aof_enabled:1\n{version}");
        report(&info, &[("appendfsync", "always")]).warnings(settings)
    };
    for open in [
        "redis_version:7.0.15",
        "redis_version:7.2.10",
        "redis_version:7.4.5",
        "redis_version:8.0.3",
        "redis_version:8.1.0",
        "redis_version:8.2.1",
        "redis_version:7.2.4\nvalkey_version:7.2.10",
        "redis_version:7.2.4\nvalkey_version:8.0.5",
        "redis_version:7.2.4\nvalkey_version:8.1.3",
    ] {
        let [text] = &warnings(open, &here)[..] else { panic!("{open}: one warning") };
        let release = if open.contains("valkey") { "8.1.4" } else { "8.2.2" };
        assert!(text.contains("CVE-2025-49844") && text.contains(release), "{open}: {text}");
        let told = settings("redis://localhost?allow_old_version=true");
        assert!(warnings(open, &told).is_empty(), "{open}");
    }
    for mended in [
        "redis_version:7.2.11",
        "redis_version:7.4.6",
        "redis_version:8.0.4",
        "redis_version:8.2.2",
        "redis_version:8.4.0",
        "redis_version:10.0.0",
        "redis_version:7.2.4\nvalkey_version:7.2.11",
        "redis_version:7.2.4\nvalkey_version:8.0.6",
        "redis_version:7.2.4\nvalkey_version:8.1.4",
        "redis_version:7.2.4\nvalkey_version:9.0.0",
        "server_name:unheard-of",
    ] {
        assert!(warnings(mended, &here).is_empty(), "{mended}");
    }
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
