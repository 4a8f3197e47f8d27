//! Hash maps with a fixed seed: iteration order is a function of the inserted keys, so that a run can be replayed.
//! Keys that a client chooses freely (topic names) belong into a `BTreeMap`, never here: a fixed seed can be flooded.

/// A hash map with a fixed seed.
pub type Map<K, V> = hashbrown::HashMap<K, V, foldhash::fast::FixedState>;
/// A hash set with a fixed seed.
pub type Set<K> = hashbrown::HashSet<K, foldhash::fast::FixedState>;
