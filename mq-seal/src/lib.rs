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
//! # What is done
//! * Encryption: XChaCha20-Poly1305, with a nonce of 192 random bits per job. The proof is the
//!   nonce and the tag; the ciphertext is as long as the payload.
//! * Signing: HMAC-SHA-256, 256 bits.
//! * Both cover, before the payload: a text that names this format, the job's id, and the record's
//!   header up to the proof, with the kind, all options that a worker obeys, the scheme and the
//!   name of the key.
//! * A key is 32 random bytes, from which HMAC-SHA-256 derives one for each of the two.

mod cipher;
mod key;
mod keys;

pub use key::{Key, KeyError};
pub use keys::Keys;
