//! What is found out about jobs only when the program runs: each mistake with the message that the
//! user gets, and what is no mistake.

use mq::Registry;
use mq::prelude::*;
use mq::registry::{Place, States};

struct App;

#[derive(Serialize, Deserialize, Job)]
#[job(name = "email.welcome", was = "greet", state = App)]
struct Welcome;

#[mq::handler]
impl Welcome {
    async fn run(self, cx: Context<App>) -> Result<(), String> {
        let App = cx.state();
        Ok(())
    }
}

mod other {
    use mq::prelude::*;

    #[derive(Serialize, Deserialize, Job)]
    #[job(producer, name = "email.welcome")]
    pub(super) struct Welcome;

    impl Handler for Welcome {
        type Error = String;
        async fn run(self, _cx: Context) -> Result<(), String> {
            Ok(())
        }
    }
}

#[mq::job]
async fn greet() {}

#[mq::job(producer)]
async fn alone() {}

fn here(line: u32) -> Place {
    Place { file: "src/jobs.rs", line }
}

fn problems(registry: &Registry, states: &States) -> Vec<String> {
    registry.problems(states).iter().map(ToString::to_string).collect()
}

#[test]
fn two_jobs_with_one_name_are_both_named() {
    let mut registry = Registry::new();
    registry.job::<other::Welcome, ()>(here(5));
    registry.job::<Welcome, App>(here(9));
    let mut states = States::new();
    states.set(App);
    assert_eq!(
        problems(&registry, &states),
        ["two jobs are named `email.welcome`: `registry::other::Welcome` (src/jobs.rs:5) and \
             `registry::Welcome` (src/jobs.rs:9): give one of them another `#[job(name = \"…\")]`"]
    );
}

#[test]
fn a_former_name_is_a_name() {
    let mut registry = Registry::new();
    registry.job::<Welcome, App>(here(5));
    registry.job::<Greet, ()>(here(9));
    let mut states = States::new();
    states.set(App);
    let [problem] = &problems(&registry, &states)[..] else { panic!("{registry:?}") };
    assert!(problem.starts_with("two jobs are named `greet`: `registry::Welcome`"), "{problem}");
}

#[test]
fn a_state_that_the_worker_lacks_is_named_with_the_job_and_its_place() {
    let mut registry = Registry::new();
    registry.discover();
    let problems = problems(&registry, &States::new());
    let missing: Vec<&String> =
        problems.iter().filter(|problem| problem.contains("needs state")).collect();
    let [problem] = missing[..] else { panic!("{problems:?}") };
    assert!(problem.starts_with("job `email.welcome` (tests/registry.rs:"), "{problem}");
    assert!(
        problem.ends_with("needs state `registry::App`: call `.state(…)` with one"),
        "{problem}"
    );
}

#[test]
fn the_same_job_from_everywhere_is_one_job() {
    let mut registry = Registry::new();
    registry.job::<Welcome, App>(here(5));
    registry.job::<Welcome, App>(here(6));
    // By the derive and by `#[mq::handler]`.
    registry.discover();
    let welcomes = registry.entries().iter().filter(|entry| entry.kind() == "email.welcome");
    assert_eq!(welcomes.count(), 1);
}

#[test]
fn a_producer_s_job_is_not_discovered() {
    let mut registry = Registry::new();
    registry.discover();
    assert!(registry.find("alone").is_none());
    assert!(registry.find("greet").is_some());
    let _ = (greet(), alone());
}

#[test]
fn an_empty_registry_is_the_worker_s_problem() {
    let registry = Registry::new();
    assert!(registry.is_empty());
    assert_eq!(problems(&registry, &States::new()), [""; 0]);
    let message = mq::BuildProblem::NoJobs.to_string();
    assert!(message.contains("linked? add `use my_jobs as _;`"), "{message}");
}
