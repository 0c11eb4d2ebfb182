use mq_model::explore::explore;
use mq_model::mutant::Mutant;
use mq_model::protocol::Protocol;
use mq_model::state::Faults;
use std::time::Instant;

#[test]
fn probe() {
    let v: Vec<u8> = std::env::var("F").unwrap().bytes().map(|b| b - b'0').collect();
    let f = Faults {
        crashes: v[1],
        lapses: v[2],
        losses: v[3],
        failures: v[4],
        stops: v[5],
        cancels: v[6],
        rollbacks: v[7],
    };
    let mut p = Protocol::new(v[0] as usize, f);
    p.reconciles = std::env::var("REC").is_ok();
    p.joins_once = std::env::var("ONCE").is_ok();
    let at = Instant::now();
    let r = explore(&p, 60_000_000);
    println!(
        "{:?} states {} steps {} depth {} complete {} in {:?}",
        f,
        r.states,
        r.steps,
        r.depth,
        r.is_complete,
        at.elapsed()
    );
    if let Some(b) = r.broken {
        println!("{b}");
    }
}

#[test]
fn mutants() {
    for m in Mutant::ALL {
        let f = Faults { crashes: 1, lapses: 1, losses: 1, failures: 1, ..Faults::default() };
        let mut p = Protocol::new(2, f);
        p.mutant = Some(m);
        let r = explore(&p, 5_000_000);
        println!("{m:?} {} states", r.states);
        match r.broken {
            Some(b) => println!("{b}"),
            None => println!("NOT FOUND complete={}", r.is_complete),
        }
    }
}
