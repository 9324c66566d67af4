//! Request bodies, gathered before the application is called: in memory up to a limit, then in
//! an unlinked temporary file. A slow upload thus never holds the application.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use ferricorn_application::Body;
use ferricorn_settings::Settings;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

/// Where bodies wait.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// Bodies up to this many bytes stay in memory.
    pub(crate) in_memory: usize,
    /// Longer ones get a temporary file here.
    folder: PathBuf,
}

impl Room {
    pub(crate) fn new(settings: &Settings) -> Self {
        let folder = settings.tmp_upload_dir.clone().unwrap_or_else(std::env::temp_dir);
        Self { in_memory: settings.client_body_buffer_size, folder }
    }

    /// Says in the error log if there is none for bodies that a file is needed for. No reason not to serve: most
    /// requests need none.
    pub(crate) fn check(&self) {
        if let Err(error) = tempfile::tempfile_in(&self.folder) {
            let (length, folder) = (self.in_memory, self.folder.display());
            log::error!(
                "Request bodies of more than {length} bytes will be answered with 507, they cannot be kept in {folder}: \
                 {error}; set tmp_upload_dir to a directory that workers may write to"
            );
        }
    }

    /// What the error log is told of a body that does not fit.
    pub(crate) fn complaint(&self, error: &io::Error) -> String {
        format!("Cannot keep a request body in {}: {error}", self.folder.display())
    }
}

/// Why a body did not arrive whole.
#[derive(Debug)]
pub(crate) enum BodyFailure {
    /// The client is gone or sent something malformed.
    Client(hyper::Error),
    /// It cannot be kept.
    Storage(io::Error),
}

/// Waits for the whole body.
pub(crate) async fn gather(mut incoming: Incoming, room: &Room) -> Result<Body, BodyFailure> {
    if incoming.is_end_stream() {
        return Ok(Body::Memory(Bytes::new()));
    }
    let mut gathered = Gathered::Nothing;
    while let Some(frame) = incoming.frame().await {
        // Trailers are dropped: WSGI has no place for them.
        if let Ok(piece) = frame.map_err(BodyFailure::Client)?.into_data() {
            gathered = gathered.add(piece, room, room.in_memory).map_err(BodyFailure::Storage)?;
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
    /// The bytes that have arrived.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::One(piece) => piece.len() as u64,
            Self::Several(all) => all.len() as u64,
            Self::Spooled(_, length) => *length,
        }
    }

    /// `most`: the bytes that may be in memory.
    pub(crate) fn add(self, piece: Bytes, room: &Room, most: usize) -> io::Result<Self> {
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
            let mut file = tempfile::tempfile_in(&room.folder)?;
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

    /// What becomes of a body that arrives in these pieces.
    fn gathered(pieces: &[&'static [u8]], in_memory: usize) -> Body {
        let room = Room { in_memory, folder: std::env::temp_dir() };
        let add = |gathered: Gathered, piece: &&'static [u8]| gathered.add(Bytes::from_static(piece), &room, in_memory);
        let gathered = pieces.iter().try_fold(Gathered::Nothing, add).unwrap();
        assert_eq!(gathered.length(), pieces.concat().len() as u64);
        gathered.finish().unwrap()
    }

    #[test]
    fn small_bodies_stay_in_memory_and_large_ones_do_not() {
        for (in_memory, expected) in [(4, true), (3, true), (2, false), (0, false)] {
            let (text, is_in_memory) = match gathered(&[b"ab", b"c"], in_memory) {
                Body::Memory(bytes) => (bytes.to_vec(), true),
                Body::File { mut file, length } => {
                    let mut text = Vec::new();
                    file.read_to_end(&mut text).unwrap();
                    assert_eq!(text.len() as u64, length);
                    (text, false)
                }
            };
            assert_eq!((text, is_in_memory), (b"abc".to_vec(), expected), "{in_memory}");
        }
        assert!(matches!(gathered(&[], 0), Body::Memory(bytes) if bytes.is_empty()));
    }
}
