//! For every method what a server answers when all is well, and an error of each class.

use super::ops::COUNT;
use super::tree::Reply::{self, Array, Bulk, Error, Int, Map, Nil};
use crate::input::ID;

pub(super) fn all() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> =
        good().iter().map(|(op, choices, replies)| input(*op, *choices, replies)).collect();
    let errors = [
        "OOM command not allowed",
        "WRONGTYPE Operation against a key",
        "READONLY replica",
        "NOSCRIPT No matching script",
        "LOADING",
        "ERR unknown command 'x', \u{1b}[31m",
        "EXECABORT",
    ];
    for (op, error) in (0..COUNT as u8).zip(errors.iter().cycle()) {
        seeds.push(input(op, 0, &[Error(error), Error(error), Error(error)]));
    }
    seeds.push([&[22, 0x80][..], b"*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n"].concat());
    seeds.push([&[22, 0x80][..], b"*1000000000\r\n"].concat());
    seeds
}

fn input(op: u8, choices: u8, replies: &[Reply]) -> Vec<u8> {
    let mut seed = vec![op, choices];
    replies.iter().for_each(|reply| reply.put(&mut seed));
    seed
}

fn record() -> Reply {
    Bulk(b"\x01\x03\x01\x01k{}".to_vec())
}

fn now() -> Reply {
    Int(1_700_000_000_000)
}

/// Ids in a row, as receipts have them.
fn held() -> Reply {
    Reply::text(&ID.concat())
}

/// A page of a scan, the last one.
fn page(entries: Reply) -> Reply {
    Array(vec![Reply::text("0"), entries])
}

fn good() -> Vec<(u8, u8, Vec<Reply>)> {
    let mut good = vec![
        (0, 0, server("7.0.15", "always")),
        (0, 0, server("6.2.0", "everysec")),
        (1, 0, vec![Array(vec![Int(1), Int(0)]), Array(vec![Reply::text(ID[1])])]),
        (1, 1, transaction()),
        (22, 0, vec![Reply::texts(&["1700000000", "123456"])]),
        (23, 0, vec![Reply::text(ID[2])]),
        (23, 0, vec![Nil, Reply::text("OK"), Reply::text(ID[2])]),
        (24, 0, vec![Nil]),
        (24, 1, vec![Int(1), Nil]),
        (25, 0, vec![Nil]),
        (25, 1, vec![Int(1), Nil]),
    ];
    good.extend(claims());
    good.extend(looks());
    good.extend(verbs());
    good.extend(audits());
    good
}

fn server(version: &str, fsync: &str) -> Vec<Reply> {
    let info = format!(
        "redis_version:{version}\r\nredis_mode:standalone\r\nrole:master\r\n\
        aof_enabled:1\r\naof_last_write_status:ok\r\nconnected_slaves:1\r\nmaster_host:h\r\n"
    );
    let option = |name, value| Reply::texts(&[name, value]);
    vec![
        Reply::text(&info),
        Reply::texts(&["1700000000", "123456"]),
        Reply::text("default"),
        Int(0),
        option("appendonly", "yes"),
        option("appendfsync", fsync),
        Map(vec![Reply::text("no-appendfsync-on-rewrite"), Reply::text("yes")]),
        option("min-replicas-to-write", "0"),
        option("maxmemory-policy", "allkeys-lru"),
    ]
}

fn transaction() -> Vec<Reply> {
    let queued = || Reply::text("QUEUED");
    let mut replies = Vec::new();
    for _ in 0..2 {
        replies.push(Reply::text("OK"));
        replies.extend((0..6).map(|_| queued()));
        replies.push(Array(vec![Int(1); 6]));
    }
    replies
}

fn claims() -> Vec<(u8, u8, Vec<Reply>)> {
    let inline = |state: &str| {
        Array(vec![
            Reply::text(state),
            Int(1_700_000_000_500),
            held(),
            Int(1),
            Array(vec![record(), record(), Nil]),
            Array(vec![Nil, Reply::text("{\"attempts\":1}"), Nil]),
        ])
    };
    let by_id = Array(vec![Reply::text("MORE"), Nil, held(), Int(0)]);
    let empty = |state: &str| Array(vec![Reply::text(state)]);
    let claim = |queues: Vec<Reply>| Array(vec![now(), Array(queues)]);
    vec![
        (2, 0, vec![claim(vec![inline("MORE"), empty("PAUSED")])]),
        (2, 0, vec![claim(vec![by_id, inline("EMPTY")]), Array(vec![record(), record(), Nil])]),
        (
            3,
            0,
            vec![Reply::text("AR"), Reply::text("F"), claim(vec![empty("LOST"), empty("EMPTY")])],
        ),
        (4, 0, vec![Reply::text("AA"), Reply::text("R")]),
        (
            5,
            1,
            vec![
                Array(vec![now(), Reply::texts(&ID), Reply::text("EL")]),
                Array(vec![now(), Array(vec![]), Reply::text("E")]),
            ],
        ),
        (
            6,
            0,
            vec![
                Array(vec![now(), Reply::texts(&[ID[1]]), Reply::texts(&[ID[1], ID[2]]), Nil]),
                Array(vec![held(), Int(1)]),
                Array(vec![record(), record(), record()]),
                Array(vec![Nil, Nil, Nil]),
            ],
        ),
        (6, 0, vec![Array(vec![now()])]),
        (7, 0, vec![Array(vec![now(), Int(3), Int(1)])]),
    ]
}

fn standing() -> Reply {
    let of = |parts: &[&str]| {
        let mut parts: Vec<_> = parts.iter().map(|part| Reply::text(part)).collect();
        parts.extend([record(), Reply::text("{\"attempts\":1}")]);
        Array(parts)
    };
    Array(vec![
        of(&["running", ID[0], "1"]),
        of(&["dead", "1700000000000", ""]),
        of(&["moving", "t scheduled 5 1 r", ""]),
    ])
}

fn looks() -> Vec<(u8, u8, Vec<Reply>)> {
    let workers = || Reply::texts(&[ID[0]]);
    let scores = Reply::texts(&[ID[0], "5", ID[1], "1.7e12", ID[2], "inf", ID[2], "6"]);
    let stats = Array(vec![
        now(),
        Array(vec![Int(1), Int(2), Int(3)]),
        Array(vec![Int(1); 6]),
        Int(4),
        Reply::texts(&[ID[0]]),
        Reply::texts(&["1700000000000"]),
        Nil,
        Array(vec![Int(5); 5]),
        Array(vec![Int(6); 3]),
    ]);
    let about = r#"{"host":"h","pid":7,"kinds":["k"],"housekeeper":true}"#;
    vec![
        (8, 0, vec![Reply::texts(&[ID[0], ID[1], ID[2], "x"]), workers(), standing()]),
        (8, 1, vec![scores, Nil, Nil, workers(), standing()]),
        (
            8,
            2,
            vec![workers(), Reply::texts(&["last", "9", "7", &ID.concat()]), workers(), standing()],
        ),
        (8, 4, vec![Reply::texts(&[ID[1], "7"]), workers(), standing()]),
        (9, 0, vec![workers(), standing()]),
        (10, 0, vec![Reply::texts(&[ID[0], "5"]), Reply::texts(&[ID[0], about]), stats]),
        (
            11,
            0,
            vec![
                Reply::texts(&[ID[0], "1700000000000"]),
                Reply::texts(&[about]),
                Reply::texts(&["last", "9", "7", &ID.concat()]),
            ],
        ),
        (12, 0, vec![Reply::texts(&["mail", "q1}:x{", "a\nb"])]),
    ]
}

fn verbs() -> Vec<(u8, u8, Vec<Reply>)> {
    let lengths = || [Int(1), Int(2), Int(3)];
    let workers = || Reply::texts(&[ID[0]]);
    let records = || Array(vec![record(), Nil, record()]);
    let histories = || Array(vec![Nil, Nil, Reply::text("{\"attempts\":3}")]);
    let mut verbs = Vec::new();
    for op in 14..=18 {
        for words in [
            ["applied", "already", "absent"],
            ["dead", "requested", "running"],
            ["changed", "moving", "applied"],
        ] {
            let mut replies = lengths().to_vec();
            replies.push(workers());
            if op != 16 && op != 15 {
                replies.push(Reply::texts(&["1700000000", "5"]));
            }
            replies.extend([records(), histories(), Reply::texts(&words)]);
            verbs.push((op, 0, replies));
        }
    }
    let note = "0M1u00000000000000000w ready 0 1 r";
    let mut transfer = lengths().to_vec();
    transfer.extend([workers(), Reply::texts(&["applied", "applied", "dead"])]);
    transfer.extend([Reply::texts(&[note, note]), records(), histories()]);
    transfer.extend([
        Int(1),
        Reply::texts(&["put", "busy"]),
        Int(1),
        Reply::texts(&["put"]),
        Int(2),
    ]);
    verbs.push((19, 0, transfer));
    verbs.push((20, 0, vec![Int(1), Reply::texts(&["applied", "there", "applied"])]));
    verbs.push((
        21,
        0,
        vec![
            Array(vec![now(), Int(3), Int(1), Reply::texts(&ID)]),
            records(),
            Int(2),
            page(Reply::texts(&[ID[0], note])),
            Reply::texts(&[note]),
            records(),
            histories(),
        ],
    ));
    verbs
}

fn audits() -> Vec<(u8, u8, Vec<Reply>)> {
    let keys = ["mq:{q", "}:claims:"].concat();
    let names =
        [format!("{keys}{}", ID[0]), format!("{keys}x"), keys.replace("claims:", "odd\u{1b}")];
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut replies = vec![page(Reply::texts(&names))];
    replies.extend((0..26).map(|_| Reply::text("none")));
    replies.extend([Reply::texts(&["done", "7", "failed", "x\u{1b}"]), Reply::texts(&[ID[1]])]);
    replies.extend([Reply::texts(&[ID[0]]), Array(vec![Int(2), Int(1)])]);
    replies.extend([Reply::texts(&[ID[2], "no note"]), Int(1)]);
    replies.push(page(Reply::texts(&[ID[0], ID[1], "foreign\u{202e}"])));
    replies.push(page(Reply::texts(&[ID[0], "5", ID[2], "7"])));
    replies.push(page(Reply::texts(&[ID[0], "5"])));
    replies.extend([Reply::texts(&[ID[1]]), Reply::texts(&[]), Reply::texts(&[])]);
    let mut wrong = replies.clone();
    wrong[3] = Reply::text("stream\u{1b}[2J");
    vec![(13, 0, replies.clone()), (13, 1, replies), (13, 0, wrong)]
}
