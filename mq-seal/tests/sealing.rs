//! Sealing and opening of records, without a store.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

use std::time::Duration;

use mq_core::seal::{OpenError, Scheme, Seal, open, seal};
use mq_core::{JobId, Priority, Record};
use mq_seal::{Key, Keys};
use proptest::prelude::*;

const PAYLOAD: &[u8] = br#"{"card":"4929"}"#;

fn key(name: &str, first: u8) -> Key {
    Key::new(name, &std::array::from_fn(|at| first.wrapping_add(at as u8))).unwrap()
}

fn encrypting() -> Keys {
    Keys::new([key("new", 1), key("old", 2)]).unwrap()
}

/// Both ways to seal.
fn both() -> [Keys; 2] {
    [encrypting(), encrypting().sign_only()]
}

fn id() -> JobId {
    "0Q7w6PGDS0rGnJ1ei8PQpG".parse().unwrap()
}

fn record() -> Record<'static> {
    let mut record = Record::new("pay", PAYLOAD);
    record.max_attempts = Some(3);
    record.timeout = Some(Duration::from_secs(9));
    record.retention = Some(Duration::from_secs(60));
    record.priority = Priority::High;
    record.idempotency_key = Some("order-7".into());
    record.tags = vec!["tenant:42".into()];
    record.traceparent = Some("00-aa-bb-01".into());
    record
}

fn sealed(keys: &Keys) -> Vec<u8> {
    seal(keys, id(), &record().encode()).unwrap()
}

fn broken(keys: &Keys, id: JobId, bytes: Vec<u8>) -> bool {
    matches!(open(Some(keys), id, bytes), Err(OpenError::Broken { .. }))
}

#[test]
fn what_is_sealed_is_opened_with_all_that_it_says() {
    for keys in both() {
        let bytes = sealed(&keys);
        let mut read = Record::decode(&bytes).unwrap();
        let Seal { scheme, key, .. } = read.seal.clone().unwrap();
        assert_eq!(key, "new");
        assert_eq!(read.payload == PAYLOAD, scheme == Scheme::Signed);
        // A limit on payloads means the same with a seal and without.
        assert_eq!(read.payload.len(), PAYLOAD.len());
        (read.seal, read.payload) = (None, PAYLOAD.into());
        assert_eq!(read, record());
        assert_eq!(open(Some(&keys), id(), bytes.clone()).unwrap(), PAYLOAD);
        // Once: what is sealed stays as it is.
        assert_eq!(seal(&keys, id(), &bytes).unwrap(), bytes);
    }
}

#[test]
fn equal_jobs_are_not_seen_to_be_equal() {
    let keys = encrypting();
    let [one, other] = [sealed(&keys), sealed(&keys)];
    assert_ne!(Record::decode(&one).unwrap().payload, Record::decode(&other).unwrap().payload);
}

#[test]
fn a_job_cannot_be_put_into_the_place_of_another() {
    for keys in both() {
        assert!(broken(&keys, JobId::new(), sealed(&keys)));
    }
}

#[test]
fn nothing_that_a_worker_obeys_can_be_changed() {
    let changes: [fn(&mut Record<'_>); 9] = [
        |record| record.kind = "refund".into(),
        |record| record.max_attempts = Some(1_000),
        |record| record.timeout = None,
        |record| record.retention = Some(Duration::ZERO),
        |record| record.priority = Priority::Low,
        |record| record.idempotency_key = None,
        |record| record.tags.push("tenant:43".into()),
        |record| record.traceparent = None,
        |record| record.payload.to_mut()[3] ^= 1,
    ];
    for keys in both() {
        let bytes = sealed(&keys);
        for (at, change) in changes.iter().enumerate() {
            let mut record = Record::decode(&bytes).unwrap();
            change(&mut record);
            assert!(broken(&keys, id(), record.encode()), "change {at}");
        }
    }
}

#[test]
fn a_seal_cannot_be_taken_for_one_of_another_scheme_or_key() {
    for keys in both() {
        let bytes = sealed(&keys);
        let mut swapped = Record::decode(&bytes).unwrap();
        let seal = swapped.seal.as_mut().unwrap();
        seal.scheme = match seal.scheme {
            Scheme::Signed => Scheme::Encrypted,
            _ => Scheme::Signed,
        };
        assert!(broken(&keys, id(), swapped.encode()));
        let mut other_key = Record::decode(&bytes).unwrap();
        other_key.seal.as_mut().unwrap().key = "old".into();
        assert!(broken(&keys, id(), other_key.encode()));
        // The same name, another key.
        assert!(broken(&Keys::new([key("new", 9)]).unwrap(), id(), bytes));
    }
}

#[test]
fn a_proof_that_does_not_end_the_header_is_none() {
    for keys in both() {
        let bytes = sealed(&keys);
        let payload = PAYLOAD.len();
        let mut longer = bytes.clone();
        // A field that readers skip, behind the seal.
        let end = bytes.len() - payload;
        longer.splice(end..end, [99, 1, 0]);
        longer[1] += 3;
        assert_eq!(Record::decode(&longer).unwrap().kind, "pay");
        assert!(broken(&keys, id(), longer));
    }
}

#[test]
fn older_keys_open_and_the_first_one_seals() {
    let before = [Keys::new([key("old", 2)]).unwrap(), Keys::new([key("old", 2)]).unwrap()];
    let [encrypts, signs] = before;
    for old in [encrypts, signs.sign_only()] {
        let bytes = sealed(&old);
        for now in both() {
            assert_eq!(open(Some(&now), id(), bytes.clone()).unwrap(), PAYLOAD);
        }
    }
}

#[test]
fn a_key_that_is_missing_is_named() {
    for (keys, scheme) in both().into_iter().zip([Scheme::Encrypted, Scheme::Signed]) {
        let bytes = sealed(&keys);
        let other = Keys::new([key("other", 3)]).unwrap();
        let missing = OpenError::MissingKey { scheme, key: "new".to_owned() };
        assert!(missing.to_string().contains("`new`"));
        assert_eq!(open(Some(&other), id(), bytes.clone()), Err(missing.clone()));
        // Without any keys, ciphertext is nothing, and a signature no obstacle.
        let without = open(None, id(), bytes);
        match scheme {
            Scheme::Encrypted => assert_eq!(without, Err(missing)),
            _ => assert_eq!(without.unwrap(), PAYLOAD),
        }
    }
}

#[test]
fn a_job_without_a_seal_is_refused_unless_it_is_asked_for() {
    let plain = record().encode();
    for keys in both() {
        assert_eq!(open(Some(&keys), id(), plain.clone()), Err(OpenError::Unsealed));
        let keys = keys.accept_unsealed();
        assert_eq!(open(Some(&keys), id(), plain.clone()).unwrap(), PAYLOAD);
        let mut changed = sealed(&keys);
        *changed.last_mut().unwrap() ^= 1;
        assert!(broken(&keys, id(), changed), "that is about jobs without a seal only");
    }
}

#[test]
fn keys_are_read_from_text_and_shown_nowhere() {
    let (one, other) = ("1f".repeat(32), "2e".repeat(32));
    let keys: Keys = format!("b:{one}, a:{other}\n").parse().unwrap();
    assert_eq!(format!("{keys:?}"), r#"Keys { encrypt: true, names: ["b", "a"], .. }"#);
    let shown = format!("{keys:#?} {:?}", format!("a:{one}").parse::<Key>().unwrap());
    assert!(!shown.contains("1f1f") && !shown.contains("31, 31"), "{shown}");
    for (text, problem) in [
        (String::new(), "there is no key"),
        (" ,\n".to_owned(), "there is no key"),
        (format!("a:{one} a:{other}"), "two keys are named `a`"),
        (format!("a:{one} {other}"), "key 2 of the list has no name"),
        (format!("a:{one} b:{}", &other[1..]), "the key `b` does not have 64"),
    ] {
        let error = text.parse::<Keys>().unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(!error.contains("1f1f") && !error.contains("2e2e"), "{error}");
    }
}

/// Jobs wait while programs are replaced. Made by a program of its own, on other implementations of
/// ChaCha20-Poly1305 and HMAC, after what the documentation says.
#[test]
fn what_was_sealed_by_the_first_version_is_opened_for_ever() {
    let encrypted = "01310103706179802a016b6465666768696a6b6c6d6e6f707172737475767778797a7bb2454499\
        bee0310c8ac6513c6cc614e3ffcddeab165bc1";
    let signed = "012901037061790922016b76a645086573f8f3a1cac86a281e9bb0f9d9d9b37c9f454e5d856b36b1f\
        c2af97b226e223a377d";
    let keys = Keys::new([key("k", 0)]).unwrap();
    for digits in [encrypted, signed] {
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        assert_eq!(open(Some(&keys), id(), bytes).unwrap(), br#"{"n":7}"#);
    }
}

proptest! {
    #[test]
    fn any_payload_comes_back(payload: Vec<u8>, kind in "[a-z.]{1,150}") {
        let id = JobId::new();
        for keys in both() {
            let plain = Record::new(&*kind, &payload[..]).encode();
            let bytes = seal(&keys, id, &plain).unwrap();
            prop_assert_eq!(&open(Some(&keys), id, bytes).unwrap(), &payload);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        for keys in both() {
            let _ = open(Some(&keys), id(), bytes.clone());
        }
    }

    #[test]
    fn whatever_is_cut_off_or_changed_is_noticed(cut: usize, at: usize, flip in 1u8..) {
        for keys in both() {
            let bytes = sealed(&keys);
            let cut = cut % bytes.len();
            prop_assert!(open(Some(&keys), id(), bytes[..cut].to_vec()).is_err());
            let mut changed = bytes;
            let at = at % changed.len();
            changed[at] ^= flip;
            prop_assert!(open(Some(&keys), id(), changed).is_err());
        }
    }

    #[test]
    fn a_seal_of_any_length_is_refused(proof: Vec<u8>, payload: Vec<u8>, encrypted: bool) {
        let scheme = if encrypted { Scheme::Encrypted } else { Scheme::Signed };
        let mut record = Record::new("pay", payload);
        record.seal = Some(Seal { scheme, key: "new".into(), proof: proof.into() });
        prop_assert!(broken(&encrypting(), id(), record.encode()));
    }
}
