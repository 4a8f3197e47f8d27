//! A list of byte slices that are one thing on disk or on the wire.

use bytes::Bytes;

/// Slices in order; the runtime copies them into a DMA buffer or sends them vectored.
#[derive(Clone, Debug, Default)]
pub struct Gather {
    slices: Vec<Bytes>,
    bytes: usize,
}

impl Gather {
    /// An empty list.
    pub fn new() -> Gather {
        Gather::default()
    }

    /// An empty list with room for `slices`.
    pub fn with_capacity(slices: usize) -> Gather {
        Gather { slices: Vec::with_capacity(slices), bytes: 0 }
    }

    /// Appends a slice; empty slices are dropped.
    pub fn push(&mut self, slice: Bytes) {
        if !slice.is_empty() {
            self.bytes += slice.len();
            self.slices.push(slice);
        }
    }

    /// Appends all slices of `other`.
    pub fn append(&mut self, other: Gather) {
        self.bytes += other.bytes;
        self.slices.extend(other.slices);
    }

    /// Total length in bytes.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The slices.
    pub fn slices(&self) -> &[Bytes] {
        &self.slices
    }

    /// The slices, given away.
    pub fn into_slices(self) -> Vec<Bytes> {
        self.slices
    }

    /// One copy of everything (tests, small things).
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.bytes);
        for slice in &self.slices {
            all.extend_from_slice(slice);
        }
        all
    }
}

impl From<Bytes> for Gather {
    fn from(slice: Bytes) -> Gather {
        let mut gather = Gather::new();
        gather.push(slice);
        gather
    }
}
