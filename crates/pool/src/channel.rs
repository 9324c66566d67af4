//! What SCRAM binds a password to: the server's certificate (`tls-server-end-point`, RFC 5929). Who sits in between, with
//! another certificate, gets nothing that he could pass on.

use std::convert::Infallible;
use std::future::{Ready, ready};

use ring::digest::{self, Algorithm};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::socket::Socket;
use crate::tap::Tap;

/// Stands where tokio-postgres would make TLS: what there is to be of it, there is already.
pub(crate) struct Made;

impl TlsConnect<Tap<Socket>> for Made {
    type Stream = Tap<Socket>;
    type Error = Infallible;
    type Future = Ready<Result<Tap<Socket>, Infallible>>;

    fn connect(self, stream: Tap<Socket>) -> Self::Future {
        ready(Ok(stream))
    }
}

impl TlsStream for Tap<Socket> {
    fn channel_binding(&self) -> ChannelBinding {
        let bound = self.stream().server_certificate().and_then(end_point);
        bound.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// A certificate's hash, by the algorithm that it was signed with.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = hash_of(signature_algorithm(certificate)?)?;
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// By the number of a signature's algorithm. MD5 and SHA-1 count as SHA-256; those that have no hash of their own bind to
/// nothing.
fn hash_of(signature: &[u8]) -> Option<&'static Algorithm> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    match (signature.strip_prefix(RSA), signature.strip_prefix(ECDSA)) {
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => Some(&digest::SHA256),
        (Some([12]), _) | (_, Some([3, 3])) => Some(&digest::SHA384),
        (Some([13]), _) | (_, Some([3, 4])) => Some(&digest::SHA512),
        _ => None,
    }
}

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { algorithm OBJECT IDENTIFIER, ... }, ... }`
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, behind) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(behind, SEQUENCE)?;
    element(algorithm, OBJECT_IDENTIFIER).map(|(number, _)| number)
}

/// What is in an element of this kind, and what is behind it.
fn element(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    const LONG: u8 = 0x80;
    let [tag, short, rest @ ..] = der else { return None };
    let (length, rest) = match short.checked_sub(LONG) {
        None => (usize::from(*short), rest),
        Some(bytes @ 1..=4) => {
            let (length, rest) = rest.split_at_checked(usize::from(bytes))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        Some(_) => return None,
    };
    if *tag == kind { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_read_as_far_as_its_algorithm() {
        let algorithm = [0x30, 10, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
        let body = [&[0x30, 0x81, 200][..], &[7; 200], &algorithm, &[0x03, 1, 0]].concat();
        let certificate = [&[0x30, 0x82, 0, body.len() as u8][..], &body].concat();
        assert_eq!(end_point(&certificate).unwrap().len(), 48);
        for length in 0..certificate.len() - 1 {
            assert_eq!(end_point(&certificate[..length]), None, "{length}");
        }
    }

    #[test]
    fn hashes() {
        let length = |number: &[u8]| hash_of(number).map(Algorithm::output_len);
        let rsa = |kind| [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, kind];
        assert_eq!([5, 11, 12, 13].map(|kind| length(&rsa(kind))), [Some(32), Some(32), Some(48), Some(64)]);
        // RSASSA-PSS says it elsewhere, Ed25519 nowhere.
        assert_eq!((length(&rsa(10)), length(&[0x2b, 0x65, 0x70])), (None, None));
    }
}
