//! Batches between their acknowledgement and their arrival: which intended time a batch had that a consumer receives. Joined by
//! partition and base offset, so that it works with every codec and any number of producers, and every acknowledged batch is
//! known to have arrived, or not. Either side may come first.

use crate::base::map::Map;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// One half of a delivery.
#[derive(Clone, Copy, Debug)]
enum Half {
    /// Acknowledged, with its intended time.
    Acknowledged(Instant),
    /// Received.
    Arrived(Instant),
}

/// A batch that arrived, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When its request was meant to begin.
    pub intended: Instant,
    /// When it was received.
    pub arrived: Instant,
}

impl Delivery {
    /// All of it.
    pub fn time(&self) -> Duration {
        self.arrived.saturating_duration_since(self.intended)
    }
}

/// See the module. A lock per partition, held for one look into a map.
#[derive(Debug)]
pub struct Deliveries {
    partitions: Vec<Mutex<Map<i64, Half>>>,
    /// Acknowledged minus delivered.
    missing: AtomicI64,
}

impl Deliveries {
    /// For so many partitions.
    pub fn new(partitions: usize) -> Deliveries {
        Deliveries { partitions: (0..partitions).map(|_| Mutex::default()).collect(), missing: AtomicI64::new(0) }
    }

    /// A batch was acknowledged.
    pub fn acknowledge(&self, partition: usize, base_offset: i64, intended: Instant) -> Option<Delivery> {
        self.missing.fetch_add(1, Ordering::AcqRel);
        let mut halves = self.partitions[partition].lock().expect("nobody panics with it");
        let Some(Half::Arrived(arrived)) = halves.remove(&base_offset) else {
            halves.insert(base_offset, Half::Acknowledged(intended));
            return None;
        };
        self.missing.fetch_sub(1, Ordering::AcqRel);
        Some(Delivery { intended, arrived })
    }

    /// A batch was received.
    pub fn arrive(&self, partition: usize, base_offset: i64, arrived: Instant) -> Option<Delivery> {
        let mut halves = self.partitions[partition].lock().expect("nobody panics with it");
        let Some(Half::Acknowledged(intended)) = halves.remove(&base_offset) else {
            halves.insert(base_offset, Half::Arrived(arrived));
            return None;
        };
        self.missing.fetch_sub(1, Ordering::AcqRel);
        Some(Delivery { intended, arrived })
    }

    /// Acknowledged batches that have not arrived.
    pub fn missing(&self) -> u64 {
        self.missing.load(Ordering::Acquire).max(0) as u64
    }

    /// Their intended times.
    pub fn missing_since(&self) -> Vec<Instant> {
        let mut times = Vec::new();
        for partition in &self.partitions {
            let halves = partition.lock().expect("nobody panics with it");
            times.extend(halves.values().filter_map(|half| match half {
                Half::Acknowledged(intended) => Some(*intended),
                Half::Arrived(_) => None,
            }));
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_half_may_come_first() {
        let deliveries = Deliveries::new(2);
        let intended = Instant::now();
        let arrived = intended + Duration::from_millis(3);
        let whole = Some(Delivery { intended, arrived });
        assert_eq!(deliveries.acknowledge(0, 16, intended), None);
        assert_eq!(deliveries.missing(), 1);
        // Another partition has the same offset.
        assert_eq!(deliveries.arrive(1, 16, arrived), None);
        assert_eq!(deliveries.arrive(0, 16, arrived), whole);
        assert_eq!(deliveries.missing(), 0);
        assert_eq!(deliveries.acknowledge(1, 16, intended), whole);
        assert_eq!(deliveries.acknowledge(1, 32, intended), None);
        assert_eq!((deliveries.missing(), deliveries.missing_since()), (1, vec![intended]));
        assert_eq!(whole.map(|delivery| delivery.time()), Some(Duration::from_millis(3)));
    }
}
