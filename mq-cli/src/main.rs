//! The command `mq`.

fn main() -> std::process::ExitCode {
    mq_cli::main()
}
