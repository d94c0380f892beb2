//! Computes the digests of a file while it arrives, each on a thread of its own.
//!
//! A piece of the file passes the threads one after the other and then returns to those
//! who fill it again: the memory is a fixed number of buffers, whatever the file's size.
//!
//! Not here: the SHA-1 of Git, which begins with the size of the file ([`git_blob_sha1`]).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use sha2::Digest;

use super::Pins;
use crate::digest::ContentDigest;
use crate::os::fs::{Context, FsError};

/// The size of a buffer. Large enough that handing it on costs little beside hashing it.
pub(super) const PIECE: usize = 512 << 10;
/// The number of buffers.
const PIECES: usize = 16;

/// Some bytes of a file, in a buffer that is used again.
pub(super) struct Piece {
    buffer: Box<[u8]>,
    n: usize,
}

impl Piece {
    /// Reads bytes into the buffer, as many as are there now; 0 at the end.
    pub(super) fn fill(&mut self, from: &mut impl Read) -> io::Result<usize> {
        self.n = 0;
        loop {
            match from.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    self.n = read?;
                    return Ok(self.n);
                }
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.n]
    }
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Piece {
        Piece { n: bytes.len(), buffer: bytes.into() }
    }
}

/// The digests of a file.
#[derive(Clone, Debug)]
pub(super) struct Digests {
    pub(super) content: ContentDigest,
    pub(super) sha256: Option<String>,
    pub(super) sha384: Option<String>,
}

/// The threads, which end when this is dropped.
pub(super) struct Digester {
    first: Sender<Piece>,
    last: Sender<Piece>,
    free: Receiver<Piece>,
    threads: Vec<JoinHandle<Hash>>,
}

enum Hash {
    Blake3(Box<blake3::Hasher>),
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
}

impl Hash {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hash::Blake3(hash) => drop(hash.update(bytes)),
            Hash::Sha256(hash) => hash.update(bytes),
            Hash::Sha384(hash) => hash.update(bytes),
        }
    }
}

impl Digester {
    /// Starts a thread for each digest that is pinned, and one for the file's identity.
    pub(super) fn start(pins: &Pins) -> io::Result<Digester> {
        let mut hashes = vec![Hash::Blake3(Box::default())];
        hashes.extend(pins.sha256.as_ref().map(|_| Hash::Sha256(sha2::Sha256::new())));
        hashes.extend(pins.sha384.as_ref().map(|_| Hash::Sha384(sha2::Sha384::new())));
        // More than there are buffers, so that nobody waits for a place.
        let channel = || bounded::<Piece>(2 * PIECES);
        let (first, mut pieces) = channel();
        let mut last = first.clone();
        let mut threads = Vec::new();
        for mut hash in hashes {
            let (next, following) = channel();
            last = next.clone();
            let own = std::mem::replace(&mut pieces, following);
            let run = move || {
                for piece in own {
                    hash.update(piece.bytes());
                    // Nobody fills it again after the last piece.
                    let _ = next.send(piece);
                }
                hash
            };
            threads.push(std::thread::Builder::new().name("digest".to_owned()).spawn(run)?);
        }
        let free = pieces;
        for _ in 0..PIECES {
            let piece = Piece { buffer: vec![0; PIECE].into(), n: 0 };
            last.send(piece).expect("this function holds the receiver");
        }
        Ok(Digester { first, last, free, threads })
    }

    /// Buffers to fill; it ends when the digester has ended.
    pub(super) fn free(&self) -> &Receiver<Piece> {
        &self.free
    }

    /// Adds the next bytes of the file.
    pub(super) fn add(&self, piece: Piece) {
        self.first.send(piece).expect("its threads run as long as it does");
    }

    /// Returns a buffer whose bytes are not added.
    pub(super) fn give_back(&self, piece: Piece) {
        self.last.send(piece).expect("this holds the receiver");
    }

    /// The digests of all bytes.
    pub(super) fn finish(self) -> Digests {
        drop(self.first);
        let mut digests = Digests { content: ContentDigest::of(&[]), sha256: None, sha384: None };
        for thread in self.threads {
            match thread.join().expect("hashing does not panic") {
                Hash::Blake3(hash) => {
                    digests.content = ContentDigest::from_bytes(*hash.finalize().as_bytes());
                }
                Hash::Sha256(hash) => digests.sha256 = Some(hex(&hash.finalize())),
                Hash::Sha384(hash) => digests.sha384 = Some(hex(&hash.finalize())),
            }
        }
        digests
    }
}

/// The SHA-1 of a file as a blob of Git: over `blob <size>`, a NUL byte and its bytes.
pub(super) fn git_blob_sha1(path: &Path, size: u64) -> Result<String, FsError> {
    let mut file = File::open(path).context("open", path)?;
    let mut hash = sha1::Sha1::new();
    hash.update(format!("blob {size}\0"));
    let mut piece = Piece { buffer: vec![0; PIECE].into(), n: 0 };
    while piece.fill(&mut file).context("read", path)? > 0 {
        hash.update(piece.bytes());
    }
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn digests_are_those_of_the_usual_programs() {
        let pins = Pins { sha256: Some(String::new()), sha384: Some(String::new()), ..Pins::default() };
        let digester = Digester::start(&pins).unwrap();
        for bytes in ["la", "", "ne"] {
            digester.add(Piece::from(bytes.as_bytes().to_vec()));
        }
        let digests = digester.finish();
        assert_eq!(digests.content, ContentDigest::of(b"lane"));
        // `printf lane | sha256sum`, and so on; the last is of `git hash-object`.
        expect!["d93244e7b08131ef10eda16a0717627450cf0e51d1ca713c41d301a51b9a6e54"]
            .assert_eq(&digests.sha256.unwrap());
        expect![
            "ac07a1f0184883f2859b6795a1666e23d01aa797f1362692e2a9c33cc2d9797f6bcd8aeeffaf34c7b49beeda800f5491"
        ]
        .assert_eq(&digests.sha384.unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "lane").unwrap();
        expect!["23d39aa8c791e72a8a71e9b1af204346b25be660"].assert_eq(&git_blob_sha1(&path, 4).unwrap());
    }

    #[test]
    fn buffers_are_used_again() {
        let digester = Digester::start(&Pins::default()).unwrap();
        for n in 0..10 * PIECES {
            let mut piece = digester.free().recv().unwrap();
            assert!(piece.fill(&mut &vec![7; n][..]).unwrap() == n);
            digester.add(piece);
        }
        let length: usize = (0..10 * PIECES).sum();
        assert_eq!(digester.finish().content, ContentDigest::of(&vec![7; length]));
    }
}
