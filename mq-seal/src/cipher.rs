//! The two algorithms, on a record in its parts.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use mq_core::seal::{Parts, SealError};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Wiped when it is dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// Bytes of the random number that makes equal payloads differ. So many, that nobody has to keep
/// count of them: by chance, two jobs of 2^80 share one with a probability of 2^-33.
pub(crate) const NONCE: usize = 24;
/// Bytes of the tag that shows a change of the ciphertext, or of what goes with it.
pub(crate) const TAG: usize = 16;
/// Bytes of a signature.
pub(crate) const SIGNATURE: usize = 32;

/// First in everything that is covered, so that no other use of the same key, now or later, yields
/// a proof that fits here.
const FORMAT: &[u8] = b"mq seal 1\0";

/// A key for one purpose. One block of HKDF-Expand (RFC 5869): what goes in is random already.
pub(crate) fn derive(secret: &[u8; 32], purpose: &[u8]) -> Secret {
    let mac = keyed(secret).chain_update(purpose).chain_update([1]);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

pub(crate) fn encrypt(key: &Secret, parts: &mut Parts<'_>) -> Result<(), SealError> {
    let also = context(parts);
    let (nonce, tag) = parts.proof.split_at_mut(NONCE);
    getrandom::fill(nonce).map_err(SealError::new)?;
    let nonce = XNonce::try_from(&*nonce).map_err(SealError::new)?;
    let made = aead(key).encrypt_inout_detached(&nonce, &also, (&mut *parts.payload).into());
    tag.copy_from_slice(&made.map_err(|_| SealError::new("the payload is too long"))?);
    Ok(())
}

/// Whether it could be opened; if not, nothing has changed.
pub(crate) fn decrypt(key: &Secret, parts: &mut Parts<'_>) -> bool {
    let also = context(parts);
    let Some((nonce, tag)) = parts.proof.split_at_checked(NONCE) else { return false };
    let (Ok(nonce), Ok(tag)) = (XNonce::try_from(nonce), Tag::try_from(tag)) else { return false };
    aead(key).decrypt_inout_detached(&nonce, &also, (&mut *parts.payload).into(), &tag).is_ok()
}

pub(crate) fn sign(key: &Secret, parts: &mut Parts<'_>) -> Result<(), SealError> {
    let signature = signature(key, parts).finalize().into_bytes();
    parts.proof.copy_from_slice(&signature);
    Ok(())
}

/// Compares in constant time.
pub(crate) fn is_signed(key: &Secret, parts: &Parts<'_>) -> bool {
    signature(key, parts).verify_slice(parts.proof).is_ok()
}

fn signature(key: &Secret, parts: &Parts<'_>) -> Hmac<Sha256> {
    keyed(key).chain_update(context(parts)).chain_update(&*parts.payload)
}

/// What is covered besides the payload. Cannot be read in two ways: the format and the id have
/// fixed lengths, and the head says in its second byte how long it is.
fn context(parts: &Parts<'_>) -> Vec<u8> {
    [FORMAT, &parts.id.as_u128().to_be_bytes(), parts.head].concat()
}

fn aead(key: &Secret) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key).into())
}

/// With zeros up to a block, as HMAC does by itself, but without an error that cannot be.
fn keyed(secret: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(secret);
    <Hmac<Sha256> as KeyInit>::new((&*block).into())
}
