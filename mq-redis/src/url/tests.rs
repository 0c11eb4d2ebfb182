use super::*;
use proptest::prelude::*;

fn parse(url: &str) -> Settings {
    Settings::parse(url).unwrap()
}

fn error(url: &str) -> String {
    let error = Settings::parse(url).unwrap_err();
    assert_eq!(error.kind(), EngineErrorKind::Invalid, "{url}");
    error.to_string()
}

#[test]
fn a_url_says_everything() {
    let settings = parse(
        "redis://me:p%40ss%2F@[::1]:7000/3?prefix=my-app:mq&connect_timeout=250ms\
         &response_timeout=1m&allow_eviction=true",
    );
    assert!(settings.address == Address::Tcp { host: "::1".into(), port: 7000 });
    assert_eq!(settings.username.as_deref(), Some("me"));
    assert_eq!(settings.password.as_deref(), Some("p@ss/"));
    assert_eq!(settings.database, 3);
    assert_eq!(settings.prefix, "my-app:mq");
    assert_eq!(settings.connect_timeout, Duration::from_millis(250));
    assert_eq!(settings.response_timeout, Duration::from_secs(60));
    assert!(settings.allow_eviction && !settings.allow_replica);
    assert_eq!(settings.to_string(), "redis://***@[::1]:7000/3");
    assert!(settings.is_local());
}

#[test]
fn a_short_url_means_what_everybody_means() {
    let settings = parse("redis://localhost");
    assert!(settings.address == Address::Tcp { host: "localhost".into(), port: 6379 });
    assert_eq!(settings, parse("VALKEY://localhost:6379/0?prefix=mq"));
    assert_eq!(parse("redis://:a@h@example.org/").password.as_deref(), Some("a@h"));
    assert_eq!(parse("redis://@example.org").to_string(), "redis://example.org:6379");
    assert!(!parse("redis://example.org").is_local());
}

#[test]
fn sockets_have_three_spellings() {
    for url in ["redis+unix:///run/my%20redis.sock", "unix:/run/my%20redis.sock"] {
        assert!(parse(url).address == Address::Unix("/run/my redis.sock".into()), "{url}");
    }
    let settings = parse("unix://:secret@/run/r.sock?db=2");
    assert_eq!(settings.password.as_deref(), Some("secret"));
    assert_eq!(settings.to_string(), "redis+unix://***@/run/r.sock?db=2");
}

#[test]
fn mistakes_are_named_with_the_cure() {
    for (url, hint) in [
        ("localhost", "write redis://host:port"),
        ("http://h", "none of redis, rediss"),
        ("redis:h", "`//` is missing"),
        ("redis://", "host is missing"),
        ("redis://h:0", "from 1 to 65535"),
        ("redis://h:65536", "from 1 to 65535"),
        ("redis://0.0.0.0", "use 127.0.0.1"),
        ("redis://[::1", "`]`"),
        ("redis://[nonsense]", "IPv6"),
        ("redis://h/one", "redis://host:port/0"),
        ("redis://h?prefx=a", "did you mean `prefix`"),
        ("redis://h?allow_evict=true", "allow_eviction"),
        ("redis://h?zzzzzzzzzzzz=1", "there are prefix,"),
        ("redis://h?prefix={a}", "A-Z a-z"),
        ("redis://h?connect_timeout=5", "connect_timeout=5s"),
        ("redis://h?connect_timeout=0s", "connect_timeout=5s"),
        ("redis://h?allow_replica=yes", "`true` nor `false`"),
        ("redis://a,b", "several hosts"),
        ("redis://user@h", "user:password@host"),
        ("redis://:p%zz@h", "%25"),
        ("unix:", "path of the socket"),
    ] {
        let text = error(url);
        assert!(text.contains(hint), "{url}: {text}");
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn tls_without_the_feature_says_which_feature() {
    assert!(error("rediss://h").contains("enable the feature `tls`"));
}

#[test]
fn passwords_that_were_not_encoded_are_not_shown() {
    for url in [
        "redis://:se/cret@h",
        "redis://:se?cret@h",
        "redis://:se#cret@h",
        "redis://:secret",
        "redis://u:secret%@h",
        "redis://u:cret@h:secret",
        "rediss2://u:secret@h",
        "redis://u:secret@h?prefix=}",
        "redis+unix://:se@/cret@/run/r.sock",
    ] {
        let text = error(url);
        assert!(!text.contains("cret"), "{url}: {text}");
    }
    let settings = parse("redis://someone:secret@h?prefix=x");
    for text in [settings.to_string(), format!("{settings:?}"), format!("{settings:#?}")] {
        assert!(!text.contains("secret") && !text.contains("someone"), "{text}");
    }
}

proptest! {
    #[test]
    fn no_input_panics(text in "\\PC{0,40}", tail in "[a-z0-9:/@?#%\\[\\]=&,.]{0,30}") {
        let _ = Settings::parse(&text);
        for scheme in SCHEMES {
            let _ = Settings::parse(&format!("{scheme}://{tail}"));
            let _ = Settings::parse(&format!("{scheme}:{tail}"));
        }
    }

    #[test]
    fn any_password_comes_through_encoded(password in "\\PC{1,20}") {
        let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let settings = parse(&format!("redis://:{encoded}@h"));
        prop_assert_eq!(settings.password.as_deref(), Some(password.as_str()));
    }
}
