//! Every statement that is on the way of a job must find its rows by an index, in the index's
//! order: what scans or sorts is fast with ten jobs and not with a million.

use rusqlite::Connection;

/// The text of a statement in `src/sql`.
macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("../src/sql/", $name, ".sql"))
    };
}

/// Those that look at a bounded number of rows.
const BOUNDED: [(&str, &str); 27] = [
    ("job", sql!("job")),
    ("seq_back", sql!("seq_back")),
    ("seq_front", sql!("seq_front")),
    ("put", sql!("put")),
    ("end_key", sql!("end_key")),
    ("member", sql!("member")),
    ("hold", sql!("hold")),
    ("held", sql!("held")),
    ("held_claims", sql!("held_claims")),
    ("next_due", sql!("next_due")),
    ("key_holder", sql!("key_holder")),
    ("claim", sql!("claim")),
    ("due", sql!("due")),
    ("extend", sql!("extend")),
    ("reap_take", sql!("reap_take")),
    ("prune_kept", sql!("prune_kept")),
    ("prune_dead_count", sql!("prune_dead_count")),
    ("prune_dead_age", sql!("prune_dead_age")),
    ("prune_keys", sql!("prune_keys")),
    ("get", sql!("get")),
    ("list_ready", sql!("list_ready")),
    ("list_scheduled", sql!("list_scheduled")),
    ("list_running", sql!("list_running")),
    ("list_kept", sql!("list_kept")),
    ("workers_held", sql!("workers_held")),
    ("stats_head", sql!("stats_head")),
    ("stats_minute", sql!("stats_minute")),
];

/// Those that count, and may go through the index of a place, but not through the table.
const COUNTING: [(&str, &str); 3] = [
    ("stats_ready", sql!("stats_ready")),
    ("stats_due", sql!("stats_due")),
    ("stats_kept", sql!("stats_kept")),
];

fn plan(conn: &Connection, statement: &str) -> Vec<String> {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).expect("a plan");
    for number in 1..=explain.parameter_count() {
        explain.raw_bind_parameter(number, 1).expect("a plan");
    }
    let mut rows = explain.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().expect("a plan") {
        steps.push(row.get(3).expect("a plan"));
    }
    steps
}

fn store() -> Connection {
    let conn = Connection::open_in_memory().expect("a database");
    conn.execute_batch(sql!("schema")).expect("the schema");
    conn
}

#[test]
fn nothing_on_the_way_of_a_job_scans_or_sorts() {
    let conn = store();
    for (name, statement) in BOUNDED {
        for step in plan(&conn, statement) {
            // The scan of `next_due` is that of its own two rows.
            let is_own = step.starts_with("SCAN (subquery");
            let is_bad = (step.starts_with("SCAN") && !is_own) || step.contains("TEMP B-TREE");
            assert!(!is_bad, "{name}: {step}");
        }
    }
}

#[test]
fn counting_goes_through_indexes_only() {
    let conn = store();
    for (name, statement) in COUNTING {
        for step in plan(&conn, statement) {
            let is_index = step.contains("USING COVERING INDEX");
            assert!(is_index && !step.contains("TEMP"), "{name}: {step}");
        }
    }
}
