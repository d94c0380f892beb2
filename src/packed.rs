//! Numbers and strings as bytes, for files that are read whole and used only if
//! their checksum is right.
//!
//! Numbers are little-endian; a string or list follows its length, a `u32`. Not
//! here: the contents of a file, its magic bytes and its version (`graph::image`,
//! `store::state`).

/// Bytes of the checksum at the end of a sealed file.
pub const CHECKSUM: usize = 32;

/// Adds a number of 4 bytes.
pub fn put_short(bytes: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).expect("a file has fewer than four billion parts");
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// Adds a number of 8 bytes.
pub fn put_long(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// Adds a string after its length.
pub fn put_bytes(bytes: &mut Vec<u8>, string: &[u8]) {
    put_short(bytes, string.len());
    bytes.extend_from_slice(string);
}

/// Adds a list of numbers of 4 bytes after its length.
pub fn put_shorts(bytes: &mut Vec<u8>, numbers: &[u32]) {
    put_short(bytes, numbers.len());
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
}

/// Adds the checksum of all bytes before it.
#[must_use]
pub fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes
}

/// The bytes before the checksum; `None` if they have changed since.
#[must_use]
pub fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
    (blake3::hash(body).as_bytes() == checksum).then_some(body)
}

/// Reads values from the front of bytes; `None` where there are too few.
#[derive(Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// A number of 4 bytes.
    pub fn short(&mut self) -> Option<usize> {
        u32::from_le_bytes(self.array()?).try_into().ok()
    }

    /// A number of 8 bytes.
    pub fn long(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    /// A string after its length.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.short()?;
        self.take(length)
    }

    /// A list of numbers of 4 bytes after its length.
    pub fn shorts(&mut self) -> Option<Vec<u32>> {
        let length = self.short()?.checked_mul(4)?;
        let words = self.take(length)?.chunks_exact(4);
        Some(words.map(|word| u32::from_le_bytes(word.try_into().expect("4 bytes"))).collect())
    }
}
