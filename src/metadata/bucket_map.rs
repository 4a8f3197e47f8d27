//! An ordered map that is cheap to clone and to change: many small maps behind shared pointers, of which a change copies one.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Number of buckets: a change among 10,000 entries copies about 150.
const BUCKETS: usize = 64;

/// A key that says in which bucket it lives. The hash may be flooded by clients: one bucket is then as slow as an ordinary
/// map, lookups stay logarithmic.
pub trait BucketKey: Ord {
    /// Any well-spread number that is the same on every machine and in every release.
    fn bucket_hash(&self) -> u64;
}

impl BucketKey for str {
    fn bucket_hash(&self) -> u64 {
        self.as_bytes().bucket_hash()
    }
}

impl BucketKey for [u8] {
    fn bucket_hash(&self) -> u64 {
        let fnv = self
            .iter()
            .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3));
        fnv ^ (fnv >> 32)
    }
}

/// See the module. Iteration goes bucket by bucket: the same for the same entries, whatever the order they came in.
#[derive(Debug)]
pub struct BucketMap<K, V> {
    buckets: Vec<Arc<BTreeMap<K, V>>>,
    entries: usize,
}

impl<K, V> Clone for BucketMap<K, V> {
    fn clone(&self) -> BucketMap<K, V> {
        BucketMap { buckets: self.buckets.clone(), entries: self.entries }
    }
}

impl<K: Ord + Clone, V: Clone> Default for BucketMap<K, V> {
    fn default() -> BucketMap<K, V> {
        let empty = Arc::new(BTreeMap::new());
        BucketMap { buckets: vec![empty; BUCKETS], entries: 0 }
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for BucketMap<K, V> {
    fn eq(&self, other: &BucketMap<K, V>) -> bool {
        self.buckets == other.buckets
    }
}

impl<K: Ord + Clone, V: Clone> BucketMap<K, V> {
    /// Puts an entry; gives back what it replaced.
    pub fn insert<Q: BucketKey + ?Sized>(&mut self, key: K, value: V) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let bucket = bucket_of(key.borrow());
        let replaced = Arc::make_mut(&mut self.buckets[bucket]).insert(key, value);
        self.entries += usize::from(replaced.is_none());
        replaced
    }

    /// Takes an entry out.
    pub fn remove<Q: BucketKey + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let bucket = &mut self.buckets[bucket_of(key)];
        if !bucket.contains_key(key) {
            return None;
        }
        let removed = Arc::make_mut(bucket).remove(key);
        self.entries -= usize::from(removed.is_some());
        removed
    }

    /// An entry to be changed.
    pub fn get_mut<Q: BucketKey + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let bucket = &mut self.buckets[bucket_of(key)];
        if !bucket.contains_key(key) {
            return None;
        }
        Arc::make_mut(bucket).get_mut(key)
    }

    /// An entry.
    pub fn get<Q: BucketKey + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.buckets[bucket_of(key)].get(key)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.buckets.iter().flat_map(|bucket| bucket.iter())
    }

    /// Number of entries.
    pub fn count(&self) -> usize {
        self.entries
    }
}

fn bucket_of<Q: BucketKey + ?Sized>(key: &Q) -> usize {
    (key.bucket_hash() % BUCKETS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_its_entries_when_the_original_changes() {
        let mut map: BucketMap<String, u32> = BucketMap::default();
        for number in 0..1000 {
            assert_eq!(map.insert::<str>(format!("topic-{number}"), number), None);
        }
        let before = map.clone();
        assert_eq!(map.insert::<str>("topic-7".to_string(), 70), Some(7));
        assert_eq!(map.remove("topic-8"), Some(8));
        assert_eq!(map.remove("topic-8"), None);
        *map.get_mut("topic-9").expect("present") = 90;
        assert_eq!((before.count(), map.count()), (1000, 999));
        assert_eq!((before.get("topic-7"), map.get("topic-7")), (Some(&7), Some(&70)));
        assert_eq!((before.get("topic-8"), map.get("topic-8")), (Some(&8), None));
        assert_eq!((before.get("topic-9"), map.get("topic-9")), (Some(&9), Some(&90)));
        assert_eq!(map.iter().count(), 999);
    }

    #[test]
    fn names_spread_over_the_buckets() {
        let mut counts = [0; BUCKETS];
        for number in 0..6400 {
            counts[bucket_of::<str>(&format!("topic-{number}"))] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
