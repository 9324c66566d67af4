//! Request bodies, gathered before the application is called: in memory up to a limit, then in
//! an unlinked temporary file. A slow upload thus never holds the application.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use bytes::{Bytes, BytesMut};
use ferricorn_application::Body;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

/// Bodies up to this many bytes stay in memory.
pub(crate) const IN_MEMORY: usize = 512 * 1024;

/// Why a body did not arrive whole.
#[derive(Debug)]
pub(crate) enum BodyFailure {
    /// The client is gone or sent something malformed.
    Client(hyper::Error),
    /// It cannot be kept.
    Storage(io::Error),
}

/// Waits for the whole body. `folder` is where a temporary file may be made; `None` for the
/// system's usual place.
pub(crate) async fn gather(mut incoming: Incoming, folder: Option<&Path>) -> Result<Body, BodyFailure> {
    if incoming.is_end_stream() {
        return Ok(Body::Memory(Bytes::new()));
    }
    let mut gathered = Gathered::Nothing;
    while let Some(frame) = incoming.frame().await {
        // Trailers are dropped: WSGI has no place for them.
        if let Ok(piece) = frame.map_err(BodyFailure::Client)?.into_data() {
            gathered = gathered.add(piece, folder, IN_MEMORY).map_err(BodyFailure::Storage)?;
        }
    }
    gathered.finish().map_err(BodyFailure::Storage)
}

/// What has arrived of a body.
pub(crate) enum Gathered {
    Nothing,
    /// One piece: kept as it came.
    One(Bytes),
    Several(BytesMut),
    Spooled(File, u64),
}

impl Gathered {
    /// `most`: the bytes that may be in memory.
    pub(crate) fn add(self, piece: Bytes, folder: Option<&Path>, most: usize) -> io::Result<Self> {
        let in_memory = match self {
            Self::Nothing if piece.len() <= most => return Ok(Self::One(piece)),
            Self::Nothing => BytesMut::new(),
            Self::One(first) => BytesMut::from(first),
            Self::Several(all) => all,
            Self::Spooled(mut file, length) => {
                file.write_all(&piece)?;
                return Ok(Self::Spooled(file, length + piece.len() as u64));
            }
        };
        if in_memory.len() + piece.len() > most {
            let mut file = match folder {
                Some(folder) => tempfile::tempfile_in(folder)?,
                None => tempfile::tempfile()?,
            };
            file.write_all(&in_memory)?;
            file.write_all(&piece)?;
            return Ok(Self::Spooled(file, (in_memory.len() + piece.len()) as u64));
        }
        let mut all = in_memory;
        all.extend_from_slice(&piece);
        Ok(Self::Several(all))
    }

    pub(crate) fn finish(self) -> io::Result<Body> {
        Ok(match self {
            Self::Nothing => Body::Memory(Bytes::new()),
            Self::One(bytes) => Body::Memory(bytes),
            Self::Several(all) => Body::Memory(all.freeze()),
            Self::Spooled(mut file, length) => {
                file.rewind()?;
                Body::File { file, length }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn small_bodies_stay_in_memory_and_large_ones_do_not() {
        let small = Gathered::Nothing.add(Bytes::from_static(b"ab"), None, IN_MEMORY).unwrap();
        let small = small.add(Bytes::from_static(b"c"), None, IN_MEMORY).unwrap().finish().unwrap();
        assert!(matches!(small, Body::Memory(bytes) if bytes == "abc"));
        let mut large = Gathered::Nothing;
        for _ in 0..3 {
            large = large.add(Bytes::from(vec![b'x'; IN_MEMORY / 2]), None, IN_MEMORY).unwrap();
        }
        let Body::File { mut file, length } = large.finish().unwrap() else { panic!("in memory") };
        let mut text = Vec::new();
        file.read_to_end(&mut text).unwrap();
        assert_eq!((text.len() as u64, length), (length, 3 * (IN_MEMORY as u64 / 2)));
    }
}
