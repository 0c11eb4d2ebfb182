//! Payloads that whoever can read or write the store shall not read or forge.
//!
//! What is here is where sealing happens, and nothing of how: a [`Sealer`] on a
//! [`Client`](crate::Client) seals every job once, as it is enqueued, and opens it again for
//! handlers and for people. The cryptography is in `mq-seal`, so that programs without it do not
//! compile it.
//!
//! A seal covers the job's id and every byte of its record: what is under a seal can be neither
//! changed nor put into the place of another job. Not the queue, which is not in the record and
//! changes when jobs are transferred; not the due time and the history, which change as it runs.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

use crate::id::JobId;
use crate::record::{Record, RecordError};

/// Longest name of a key, in bytes: it is stored with every job.
pub const KEY_NAME_MAX: usize = 32;

/// What a seal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scheme {
    /// The payload is ciphertext. A worker of an mq that knows no seals leaves the job alone.
    Encrypted,
    /// The payload is as it was, and the seal shows who wrote the job. Whoever does not check seals
    /// runs it like any other.
    Signed,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Encrypted => "encrypted",
            Self::Signed => "signed",
        })
    }
}

/// What a record says of its seal: the last field of its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal<'a> {
    /// What was done.
    pub scheme: Scheme,
    /// The name of the key.
    pub key: Cow<'a, str>,
    /// What the key's owner compares: the last bytes of the header, as many as the scheme has.
    pub proof: Cow<'a, [u8]>,
}

/// A record in the parts that a [`Sealer`] tells apart.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The job.
    pub id: JobId,
    /// The record from its first byte up to the proof. To be covered by the seal, with the id.
    pub head: &'a [u8],
    /// The seal's proof: to be filled in, or to be compared.
    pub proof: &'a mut [u8],
    /// The payload: to be changed in place, keeping its length.
    pub payload: &'a mut [u8],
}

/// Seals payloads and opens them; see [`Client::sealed`](crate::Client::sealed).
pub trait Sealer: Send + Sync + 'static {
    /// The seal of jobs that are sealed from now on, with a proof of the right length.
    fn seal_now(&self) -> Seal<'_>;

    /// Seals a job with what [`seal_now`](Self::seal_now) has announced.
    ///
    /// # Errors
    /// See [`SealError`]; the job is then not stored.
    fn seal(&self, parts: Parts<'_>) -> Result<(), SealError>;

    /// Whether jobs that are not sealed are run as well.
    fn accepts_unsealed(&self) -> bool;

    /// Whether the key of a seal is there.
    fn has_key_of(&self, seal: &Seal<'_>) -> bool;

    /// Opens a sealed job in place; whether the seal fits. If not, nothing may be changed.
    fn open(&self, scheme: Scheme, key: &str, parts: Parts<'_>) -> bool;
}

/// A job could not be sealed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SealError(Box<dyn StdError + Send + Sync>);

impl SealError {
    /// An error with this cause.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// A job cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The key is not here. Another process may have it, so this is no fault of the job.
    #[error("it is {scheme} with the key `{key}`, which is not among the keys here")]
    MissingKey {
        /// What was done with the key.
        scheme: Scheme,
        /// The name of the key.
        key: String,
    },
    /// Only sealed jobs are accepted, and this is none.
    #[error(
        "it is not sealed, and only sealed jobs are run here: somebody without the key has written \
         it, or it is older than the key; see `accept_unsealed`"
    )]
    Unsealed,
    /// The seal does not fit the job.
    #[error(
        "its seal does not fit: it was changed after it was {scheme} with the key `{key}`, or it \
         was copied from another job, or another key has that name here"
    )]
    Broken {
        /// What was done with the key.
        scheme: Scheme,
        /// The name of the key.
        key: String,
    },
    /// The record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Whether the name of a key is one: letters, digits, `.`, `_` and `-`, at most [`KEY_NAME_MAX`].
/// Narrower than other names, because it stands in lists of keys and comes back from the store.
pub fn is_key_name(name: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=KEY_NAME_MAX).contains(&name.len()) && name.bytes().all(is_fine)
}

/// The same record under a seal. One that is sealed already stays as it is.
///
/// # Errors
/// See [`SealError`].
pub fn seal(sealer: &dyn Sealer, id: JobId, record: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut plain = Record::decode(record).map_err(SealError::new)?;
    if plain.seal.is_some() {
        return Ok(record.to_vec());
    }
    let seal = sealer.seal_now();
    let proof = seal.proof.len();
    plain.seal = Some(seal);
    let header = plain.header(plain.payload.len());
    let at = header.len();
    let mut sealed = header;
    sealed.extend_from_slice(&plain.payload);
    sealer.seal(parts(id, &mut sealed, at, proof))?;
    Ok(sealed)
}

/// The seal of a record whose key is needed and not there: the job is for others then.
pub fn missing_key<'a, 'r>(
    sealer: Option<&dyn Sealer>,
    record: &'a Record<'r>,
) -> Option<&'a Seal<'r>> {
    let seal = record.seal.as_ref()?;
    let is_missing = match sealer {
        Some(sealer) => !sealer.has_key_of(seal),
        None => seal.scheme == Scheme::Encrypted,
    };
    is_missing.then_some(seal)
}

/// The payload of a record, opened if it is sealed.
///
/// # Errors
/// See [`OpenError`]. Never panics, whatever the bytes.
pub fn open(
    sealer: Option<&dyn Sealer>,
    id: JobId,
    mut bytes: Vec<u8>,
) -> Result<Vec<u8>, OpenError> {
    let record = Record::decode(&bytes)?;
    let header = bytes.len() - record.payload.len();
    if let Some(Seal { scheme, key, .. }) = missing_key(sealer, &record) {
        return Err(OpenError::MissingKey { scheme: *scheme, key: key.to_string() });
    }
    match (sealer, record.seal) {
        (None, _) => {}
        (Some(sealer), None) if sealer.accepts_unsealed() => {}
        (Some(_), None) => return Err(OpenError::Unsealed),
        (Some(sealer), Some(seal)) => {
            let (scheme, key) = (seal.scheme, seal.key.into_owned());
            let proof = seal.proof.len();
            // Anywhere else it would be covered by what it is to prove.
            let is_last = bytes[..header].ends_with(&seal.proof);
            if !is_last || !sealer.open(scheme, &key, parts(id, &mut bytes, header, proof)) {
                return Err(OpenError::Broken { scheme, key });
            }
        }
    }
    bytes.drain(..header);
    Ok(bytes)
}

/// The caller has seen that the header is no shorter than the proof.
fn parts(id: JobId, record: &mut [u8], header: usize, proof: usize) -> Parts<'_> {
    let (header, payload) = record.split_at_mut(header);
    let (head, proof) = header.split_at_mut(header.len() - proof);
    Parts { id, head, proof, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds every seal to fit.
    struct Credulous;

    impl Sealer for Credulous {
        fn seal_now(&self) -> Seal<'_> {
            Seal { scheme: Scheme::Signed, key: "k".into(), proof: vec![7; 3].into() }
        }

        fn seal(&self, parts: Parts<'_>) -> Result<(), SealError> {
            parts.proof.copy_from_slice(&[7; 3]);
            Ok(())
        }

        fn accepts_unsealed(&self) -> bool {
            false
        }

        fn has_key_of(&self, _: &Seal<'_>) -> bool {
            true
        }

        fn open(&self, _: Scheme, _: &str, parts: Parts<'_>) -> bool {
            assert_eq!((&*parts.payload, &*parts.proof), (&b"payload"[..], &[7; 3][..]));
            assert!(parts.head.ends_with(&[5, 1, b'k']), "length of the seal, of the name, name");
            true
        }
    }

    #[test]
    fn a_seal_that_is_not_the_end_of_the_header_is_not_even_compared() {
        let id = JobId::new();
        let plain = Record::new("kind", &b"payload"[..]).encode();
        let mut bytes = seal(&Credulous, id, &plain).unwrap();
        assert_eq!(open(Some(&Credulous), id, bytes.clone()).unwrap(), b"payload");
        let end = bytes.len() - b"payload".len();
        bytes.splice(end..end, [99, 1, 0]);
        bytes[1] += 3;
        let broken = OpenError::Broken { scheme: Scheme::Signed, key: "k".to_owned() };
        assert_eq!(open(Some(&Credulous), id, bytes), Err(broken));
    }
}
