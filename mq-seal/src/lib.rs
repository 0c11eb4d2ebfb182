//! Payloads that whoever can read or write the store cannot read, or cannot forge.
//!
//! Most programs use it as `mq::seal`, with the feature `seal`. [`Keys`] is the whole of it: a list
//! of keys with names, of which the first one seals and all of them open.
//!
//! ```
//! use mq_seal::Keys;
//!
//! # let text = format!("2026-06:{} 2026-01:{}", "1f".repeat(32), "2e".repeat(32));
//! // In a program: `let text = std::env::var("MQ_KEYS")?;`
//! let keys: Keys = text.parse()?;
//! assert_eq!(format!("{keys:?}"), r#"Keys { encrypt: true, names: ["2026-06", "2026-01"], .. }"#);
//! // … then `Client::connect(url).await?.sealed(keys)`
//! # Ok::<(), mq_seal::KeyError>(())
//! ```
//!
//! # Format
//! The seal is the last field of a record's header: its tag (128 encrypted, 9 signed), its length,
//! the length of the key's name, the name, the proof. The payload follows, and keeps its length.
//!
//! * `covered` is `mq seal 1` and a zero byte, the job's id (16 bytes, big endian), and the record
//!   from its first byte up to the proof. So it has the kind, all options that a worker obeys, the
//!   scheme and the name of the key.
//! * Encrypted: XChaCha20-Poly1305 of the payload, with `covered` as associated data. The proof is
//!   the nonce, 24 random bytes, and the tag of 16 bytes.
//! * Signed: the proof is HMAC-SHA-256 of `covered` and the payload, 32 bytes.
//! * A key is 32 random bytes. Neither of the two uses it, but HMAC-SHA-256 with it of
//!   `mq seal 1: encrypt`, or of `mq seal 1: sign`, each with a byte 1 behind it.

mod cipher;
mod key;
mod keys;

pub use key::{Key, KeyError};
pub use keys::Keys;
