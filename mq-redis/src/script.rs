//! The scripts that run inside the server: one file per operation, joined with the functions of
//! `lua/lib` that it uses.

use std::sync::OnceLock;

/// A script and its name.
#[derive(Debug)]
pub(crate) struct Script {
    /// The operation, as its file is called.
    pub(crate) name: &'static str,
    /// Its text.
    original: &'static str,
    #[cfg(feature = "mutants")]
    planted: OnceLock<String>,
    sha: OnceLock<String>,
}

impl Script {
    /// What the server gets.
    #[cfg(not(feature = "mutants"))]
    pub(crate) fn source(&self) -> &str {
        self.original
    }

    /// What the server gets, perhaps with a mistake.
    #[cfg(feature = "mutants")]
    pub(crate) fn source(&self) -> &str {
        self.planted.get_or_init(|| crate::mutants::planted(self.name, self.original))
    }

    /// Its text without any mistake.
    #[cfg(all(test, feature = "mutants"))]
    pub(crate) fn original(&self) -> &str {
        self.original
    }

    /// The name by which the server knows it.
    pub(crate) fn sha(&self) -> &str {
        self.sha.get_or_init(|| redis::Script::new(self.source()).get_hash().to_owned())
    }

    /// Whether so many keys are what the header declares: `KEYS[n]` for a fixed one, `KEYS[n+w]`
    /// for any number that follow, `KEYS[nq+i]` for groups of n.
    pub(crate) fn takes(&self, count: usize) -> bool {
        let (mut fixed, mut are_open, mut group) = (0, false, None);
        for declared in self.original.lines().filter_map(|line| line.strip_prefix("-- KEYS[")) {
            let index = declared.split(']').next().unwrap_or("");
            let digits = index.find(|c: char| !c.is_ascii_digit()).unwrap_or(index.len());
            let number = index[..digits].parse().unwrap_or(0);
            match index.as_bytes().get(digits) {
                None => fixed = number,
                Some(b'+') => are_open = true,
                Some(_) => group = Some(number),
            }
        }
        match group {
            Some(size) => count.checked_rem(size) == Some(0),
            None => count == fixed || are_open && count > fixed,
        }
    }
}

/// Declares scripts: `CONSTANT = "operation", flags, [functions]`. The functions come in the order
/// given; one that calls another comes after it.
macro_rules! scripts {
    ($($constant:ident = $name:literal, $flags:literal, [$($lib:literal),*];)+) => {
        $(pub(crate) static $constant: Script = Script {
            name: $name,
            original: concat!(
                "#!lua", $flags, "\n",
                $(include_str!(concat!("lua/lib/", $lib, ".lua")),)*
                include_str!(concat!("lua/", $name, ".lua")),
            ),
            #[cfg(feature = "mutants")]
            planted: OnceLock::new(),
            sha: OnceLock::new(),
        };)+

        /// All scripts.
        pub(crate) static ALL: &[&Script] = &[$(&$constant),+];
    };
}

// `allow-oom` for all that makes room or must go on at the memory limit; not for what fills it.
scripts! {
    CLAIM = "claim", " flags=allow-oom",
        ["now_ms", "is_used", "split_ids", "ready_lengths", "promote_due", "next_due"];
    FINISH = "finish", " flags=allow-oom",
        ["now_ms", "bulk", "typed", "append", "split_ids", "open_receipts", "cut",
         "cut_all", "close_receipts", "forget_later", "tally", "count_ends"];
    EXTEND = "extend", " flags=allow-oom", ["now_ms"];
    JOIN = "join", " flags=allow-oom", ["now_ms"];
    LEAVE = "leave", " flags=allow-oom", ["note_gone"];
    REAP = "reap", " flags=allow-oom", ["now_ms", "is_used", "ready_lengths"];
    REAP_TAKE = "reap_take", " flags=allow-oom", ["is_used", "note_gone", "tally"];
    PROMOTE = "promote", " flags=allow-oom",
        ["now_ms", "ready_lengths", "promote_due", "next_due"];
    PRUNE = "prune", " flags=allow-oom", ["now_ms", "bulk", "typed"];
    PRUNE_DEAD = "prune_dead", " flags=allow-oom",
        ["now_ms", "typed", "erase", "expire_key"];

    ENQUEUE = "enqueue", "", ["now_ms", "key_holder", "due_ms", "tally"];
    IMPORT = "import", "",
        ["now_ms", "typed", "key_holder", "level_of", "make_ready", "ordered"];

    LOCATE = "locate", " flags=allow-oom",
        ["typed", "job_keys", "registered", "receipts", "holders", "standing"];
    STATS = "stats", " flags=allow-oom", ["now_ms", "registered", "receipts"];
    PAUSE = "pause", " flags=allow-oom", ["now_ms", "ordered"];
    RESUME = "resume", " flags=allow-oom", ["typed", "ordered"];
    RETRY = "retry", " flags=allow-oom",
        ["now_ms", "typed", "job_keys", "registered", "receipts", "holders", "standing", "level_of",
         "near_end", "take_out", "make_ready", "key_holder", "revive_key", "same_history"];
    RUN_NOW = "run_now", " flags=allow-oom",
        ["typed", "job_keys", "registered", "receipts", "holders", "standing", "level_of",
         "near_end", "take_out", "make_ready"];
    DELETE = "delete", " flags=allow-oom",
        ["now_ms", "typed", "job_keys", "registered", "receipts", "holders", "standing", "level_of",
         "near_end", "take_out", "erase", "expire_key"];
    CANCEL = "cancel", " flags=allow-oom",
        ["now_ms", "typed", "job_keys", "registered", "receipts", "holders", "standing", "level_of",
         "near_end", "take_out", "erase", "expire_key", "same_history", "tally"];
    DISCARD = "discard", " flags=allow-oom",
        ["now_ms", "typed", "job_keys", "registered", "receipts", "holders", "standing", "level_of",
         "near_end", "take_out", "same_history", "tally"];
    TRANSFER_TAKE = "transfer_take", " flags=allow-oom",
        ["now_ms", "typed", "job_keys", "registered", "receipts", "holders", "standing", "level_of",
         "near_end", "take_out"];
    TRANSFER_PUT = "transfer_put", " flags=allow-oom",
        ["now_ms", "typed", "level_of", "make_ready", "key_holder", "revive_key"];
    TRANSFER_DROP = "transfer_drop", " flags=allow-oom",
        ["now_ms", "typed", "erase", "expire_key"];
    AUDIT = "audit", " flags=allow-oom",
        ["typed", "job_keys", "registered", "receipts", "cut_receipt", "leave_place", "places",
         "level_of", "make_ready", "erase"];
    AUDIT_ADOPT = "audit_adopt", " flags=allow-oom", ["now_ms", "typed"];
    AUDIT_ASIDE = "audit_aside", " flags=allow-oom", [];
    AUDIT_FIGURES = "audit_figures", " flags=allow-oom", ["now_ms", "typed"];
    AUDIT_RECEIPT = "audit_receipt", " flags=allow-oom", [];
    AUDIT_WAKE = "audit_wake", " flags=allow-oom", [];
    AUDIT_CLAIMS = "audit_claims", " flags=allow-oom", ["receipts"];
    AUDIT_KEYS = "audit_keys", " flags=allow-oom", [];
    AUDIT_FIELDS = "audit_fields", " flags=allow-oom", [];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_keys_is_that_of_the_header() {
        for (script, right, wrong) in [
            (&FINISH, vec![20], vec![0, 19, 21]),
            (&CLAIM, vec![0, 12, 24], vec![1, 11, 13]),
            (&REAP_TAKE, vec![5, 6, 10], vec![0, 4]),
        ] {
            assert!(right.iter().all(|count| script.takes(*count)), "{}", script.name);
            assert!(!wrong.iter().any(|count| script.takes(*count)), "{}", script.name);
        }
    }

    #[test]
    fn names_and_hashes_are_distinct() {
        for (at, script) in ALL.iter().enumerate() {
            assert_eq!(script.sha().len(), 40);
            for other in &ALL[..at] {
                assert_ne!((script.name, script.sha()), (other.name, other.sha()));
            }
        }
    }
}
