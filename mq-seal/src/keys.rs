//! The keys of a client: what it seals with, and what it can open.

use std::fmt;
use std::str::FromStr;

use mq_core::seal::{Parts, Scheme, Seal, SealError, Sealer};

use crate::cipher;
use crate::key::{Key, KeyError};

/// What a client seals jobs with: hand it to `Client::sealed`. The first key seals, all of them
/// open, so that keys can be replaced while jobs wait.
///
/// As text, keys as `NAME:HEX` with white space or commas between them.
///
/// Encrypts, and refuses jobs that are not sealed, unless it is told otherwise.
pub struct Keys {
    keys: Vec<Key>,
    scheme: Scheme,
    accept_unsealed: bool,
}

impl Keys {
    /// The key that seals, and before or after a change those that only open.
    ///
    /// # Errors
    /// [`KeyError::Empty`] or [`KeyError::Twice`].
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, KeyError> {
        let keys: Vec<Key> = keys.into_iter().collect();
        if keys.is_empty() {
            return Err(KeyError::Empty);
        }
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|other| other.name == key.name) {
                return Err(KeyError::Twice { name: key.name.clone() });
            }
        }
        Ok(Self { keys, scheme: Scheme::Encrypted, accept_unsealed: false })
    }

    /// Signs jobs from now on and leaves them readable, for those who fear forged jobs only: for
    /// example because others can write to the store, and the payloads are no secret. Encrypted
    /// jobs can be opened as well, as signed ones can without this.
    #[must_use]
    pub fn sign_only(self) -> Self {
        Self { scheme: Scheme::Signed, ..self }
    }

    /// Runs jobs that are not sealed as well, which anybody can have written. For the time in which
    /// jobs wait that are older than the keys, or while some producers have none yet.
    #[must_use]
    pub fn accept_unsealed(self) -> Self {
        Self { accept_unsealed: true, ..self }
    }

    fn find(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl FromStr for Keys {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let words = text.split(|c: char| c == ',' || c.is_whitespace());
        let words = words.filter(|word| !word.is_empty()).enumerate();
        let keys: Result<Vec<Key>, _> = words.map(|(at, word)| Key::parse(word, at + 1)).collect();
        Self::new(keys?)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.keys.iter().map(Key::name).collect();
        f.debug_struct("Keys")
            .field("encrypt", &(self.scheme == Scheme::Encrypted))
            .field("names", &names)
            .finish_non_exhaustive()
    }
}

impl Sealer for Keys {
    fn seal_now(&self) -> Seal<'_> {
        let key = self.keys.first().map_or("", Key::name);
        let len = match self.scheme {
            Scheme::Signed => cipher::SIGNATURE,
            _ => cipher::NONCE + cipher::TAG,
        };
        Seal { scheme: self.scheme, key: key.into(), proof: vec![0; len].into() }
    }

    fn seal(&self, mut parts: Parts<'_>) -> Result<(), SealError> {
        let key = self.keys.first().ok_or_else(|| SealError::new(KeyError::Empty))?;
        match self.scheme {
            Scheme::Signed => cipher::sign(&key.signing, &mut parts),
            _ => cipher::encrypt(&key.encrypting, &mut parts),
        }
    }

    fn accepts_unsealed(&self) -> bool {
        self.accept_unsealed
    }

    fn has_key_of(&self, seal: &Seal<'_>) -> bool {
        self.find(&seal.key).is_some()
    }

    fn open(&self, scheme: Scheme, key: &str, mut parts: Parts<'_>) -> bool {
        match (self.find(key), scheme) {
            (Some(key), Scheme::Encrypted) => cipher::decrypt(&key.encrypting, &mut parts),
            (Some(key), Scheme::Signed) => cipher::is_signed(&key.signing, &parts),
            _ => false,
        }
    }
}
