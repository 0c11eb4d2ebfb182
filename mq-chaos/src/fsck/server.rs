//! A Redis, by its raw commands.

use std::collections::{BTreeMap, BTreeSet};

use mq_core::State;

use super::{Dump, Seen};
use crate::raw::Raw;

/// All names under a queue, and their types. Written down a second time on purpose.
const TYPES: [(&str, &str); 27] = [
    ("jobs", "hash"),
    ("history", "hash"),
    ("levels", "hash"),
    ("scheduled", "zset"),
    ("retry", "zset"),
    ("dead", "zset"),
    ("done", "zset"),
    ("cancelled", "zset"),
    ("workers", "zset"),
    ("about", "hash"),
    ("gone", "list"),
    ("keys", "hash"),
    ("keys:expiry", "zset"),
    ("cancels", "hash"),
    ("paused", "string"),
    ("stats", "hash"),
    ("rates", "hash"),
    ("recent", "list"),
    ("wake", "zset"),
    ("swept", "string"),
    ("grace", "string"),
    ("moving", "hash"),
    ("moved", "zset"),
    ("orders", "hash"),
    ("ready:high", "list"),
    ("ready", "list"),
    ("ready:low", "list"),
];
const TOTALS: [&str; 5] = ["enqueued", "done", "failed", "dead", "interrupted"];
const ID_LEN: usize = 22;

/// Everything under the prefix `mq`.
pub(super) fn dump(url: &str) -> Dump {
    let mut raw = Raw::connect(url);
    let mut dump = Dump::default();
    let mut queues = BTreeMap::<String, BTreeSet<String>>::new();
    let mut cursor = "0".to_owned();
    loop {
        let page = raw.ask(&["SCAN", &cursor, "MATCH", "mq:*", "COUNT", "1000"]);
        let crate::raw::Reply::List(parts) = page else { panic!("no page of keys: {page:?}") };
        for key in parts[1].texts() {
            let queue = key.strip_prefix("mq:{").and_then(|rest| rest.split_once("}:"));
            match queue {
                Some((queue, name)) => {
                    queues.entry(queue.to_owned()).or_default().insert(name.to_owned());
                }
                None if ["mq:queues", "mq:store", "mq:transfers"].contains(&key.as_str()) => {}
                None => dump.wrong.push(format!("unknown key {key}")),
            }
        }
        cursor = parts[0].text();
        if cursor == "0" {
            break;
        }
    }
    for (queue, names) in queues {
        let mut reader = Reader { raw: &mut raw, base: format!("mq:{{{queue}}}:"), wrong: vec![] };
        let seen = reader.read(&names);
        dump.wrong.extend(reader.wrong.into_iter().map(|text| format!("{queue}: {text}")));
        if names.contains("jobs") {
            dump.queues.insert(queue, seen);
        }
    }
    dump
}

struct Reader<'a> {
    raw: &'a mut Raw,
    base: String,
    wrong: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self, names: &BTreeSet<String>) -> Seen {
        let mut readable = BTreeSet::new();
        for name in names {
            if self.is_as_declared(name) {
                readable.insert(name.as_str());
            }
        }
        let records: BTreeSet<_> = self.hash("jobs").into_iter().map(|(id, _)| id).collect();
        let mut seen = Seen::default();
        let mut places = BTreeMap::<String, Vec<State>>::new();
        let mut place = |ids: Vec<String>, state: State| {
            ids.into_iter().for_each(|id| places.entry(id).or_default().push(state));
        };
        for name in ["ready:high", "ready", "ready:low"] {
            place(self.raw_texts(&["LRANGE", &self.key(name), "0", "-1"]), State::Ready);
        }
        for (name, state) in [
            ("scheduled", State::Scheduled),
            ("retry", State::Scheduled),
            ("dead", State::Dead),
            ("done", State::Done),
            ("cancelled", State::Cancelled),
        ] {
            place(self.members(name), state);
        }
        place(self.hash("moving").into_iter().map(|(id, _)| id).collect(), State::Scheduled);
        let workers = self.members("workers");
        for worker in &workers {
            seen.held.entry(worker.clone()).or_default();
        }
        for worker in readable.iter().filter_map(|name| name.strip_prefix("claims:")) {
            if !workers.iter().any(|known| known == worker) {
                self.wrong.push(format!("claims of {worker}, which is not registered"));
            }
            for (number, ids) in self.hash(&format!("claims:{worker}")) {
                if number == "last" {
                    continue;
                }
                let bytes = ids.as_bytes().chunks(ID_LEN).map(String::from_utf8_lossy);
                let ids: Vec<_> = bytes.map(|id| id.into_owned()).collect();
                seen.held.entry(worker.to_owned()).or_default().extend(ids.iter().cloned());
                place(ids, State::Running);
            }
        }
        for id in records.iter().filter(|id| !places.contains_key(*id)) {
            self.wrong.push(format!("{id} is nowhere"));
        }
        for (id, at) in places {
            if !records.contains(&id) || id.len() != ID_LEN {
                self.wrong.push(format!("{id} is {at:?} and has no record"));
            } else if at.len() != 1 {
                self.wrong.push(format!("{id} is {at:?}"));
            }
            seen.jobs.insert(id, at[0]);
        }
        self.beside(&records, &seen, &workers);
        let stats: BTreeMap<_, _> = self.hash("stats").into_iter().collect();
        for (name, count) in &stats {
            if count.parse::<u64>().is_err() {
                self.wrong.push(format!("the counter {name} is {count}"));
            }
        }
        let total = |name| stats.get(name).and_then(|count| count.parse().ok()).unwrap_or(0);
        seen.totals = TOTALS.map(total);
        seen
    }

    /// What is kept beside belongs to jobs and workers that are there.
    fn beside(&mut self, records: &BTreeSet<String>, seen: &Seen, workers: &[String]) {
        for name in ["history", "levels", "cancels"] {
            for (id, _) in self.hash(name) {
                let state = seen.jobs.get(&id);
                let has_ended = matches!(state, Some(State::Dead | State::Done | State::Cancelled));
                if !records.contains(&id) || name == "cancels" && has_ended {
                    self.wrong.push(format!("{name} of {id}, which is {state:?}"));
                }
            }
        }
        let expiring = self.members("keys:expiry");
        let keys = self.hash("keys");
        for (key, id) in &keys {
            if !records.contains(id) && !expiring.contains(key) {
                self.wrong.push(format!("the key {key} is held by {id}, which is not there"));
            }
        }
        for key in expiring.iter().filter(|key| !keys.iter().any(|(known, _)| known == *key)) {
            self.wrong.push(format!("the key {key} is to be forgotten, and there is none"));
        }
        for (worker, _) in self.hash("about") {
            if !workers.contains(&worker) {
                self.wrong.push(format!("data about {worker}, which is not registered"));
            }
        }
    }

    /// Whether a key is known, of its type, and expires only if it should.
    fn is_as_declared(&mut self, name: &str) -> bool {
        let key = self.key(name);
        let fixed = TYPES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let (expected, expires) = match name.split_once(':') {
            _ if fixed.is_some() => (fixed.unwrap_or_default(), false),
            Some(("claims", _)) => ("hash", false),
            Some(("producer", _)) => ("string", true),
            // What an audit has put there.
            Some(("aside", _)) => return false,
            _ => {
                self.wrong.push(format!("unknown key {name}"));
                return false;
            }
        };
        let found = self.raw.ask(&["TYPE", &key]).text();
        let left = self.raw.ask(&["PTTL", &key]).text();
        if found == "none" {
            return false;
        }
        if found != expected {
            self.wrong.push(format!("{name} is a {found}"));
        } else if left != "-2" && (left != "-1") != expires {
            self.wrong.push(format!("{name} is kept for {left} ms"));
        }
        found == expected
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.base)
    }

    /// The answer to a question; nothing if the key is of another type, which was said before.
    fn raw_texts(&mut self, words: &[&str]) -> Vec<String> {
        match self.raw.ask(words) {
            crate::raw::Reply::Error(_) => Vec::new(),
            reply => reply.texts(),
        }
    }

    fn members(&mut self, name: &str) -> Vec<String> {
        let key = self.key(name);
        self.raw_texts(&["ZRANGE", &key, "0", "-1"])
    }

    fn hash(&mut self, name: &str) -> Vec<(String, String)> {
        let key = self.key(name);
        let texts = self.raw_texts(&["HGETALL", &key]);
        texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }
}
