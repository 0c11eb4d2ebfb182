//! A program whose jobs do not fit together; alone, because a test sees all jobs of its program.

use mq::prelude::*;

#[derive(Serialize, Deserialize, Job)]
#[job(name = "mail.welcome")]
struct Welcome {}

#[mq::handler]
impl Welcome {
    async fn run(self, _cx: Context) -> Result<(), String> {
        Ok(())
    }
}

#[mq::job(was = "mail.welcome")]
async fn greet() {}

#[test]
fn two_jobs_of_one_name_are_found_out() {
    let panic = std::panic::catch_unwind(mq::testing::check_registry).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("the registered jobs do not fit together:\n  * two jobs"), "{text}");
    assert!(text.contains("are named `mail.welcome`") && text.contains("Greet"), "{text}");
}
