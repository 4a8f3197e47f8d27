//! On which core a new partition is led.
//!
//! A partition keeps a placement index for life; its core is the index mod the number of cores. New partitions go to the
//! core with the fewest, so that many one-partition topics spread as evenly as one topic of many, also after deletions. Of
//! the indices that lead to that core the smallest is taken that is not below the number of partitions so far, which makes
//! indices count upwards and spread over any later number of cores as well (S19).

use crate::base::ids::CoreId;
use crate::metadata::image::Image;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Chooses placement indices one after the other: a function of the image, thus the same on every run.
#[derive(Debug)]
pub struct Placer {
    cores: u32,
    /// Least loaded core first, the lowest of equals.
    loads: BinaryHeap<Reverse<(u32, u32)>>,
    partitions: u32,
}

impl Placer {
    /// Starts from the partitions of `image`, which must have a layout.
    pub fn new(image: &Image) -> Placer {
        assert!(image.cores() > 0, "placement before the first layout");
        let loads = image.core_loads().iter().zip(0..).map(|(load, core)| Reverse((*load, core))).collect();
        let partitions = image.topics().partition_count() as u32;
        Placer { cores: u32::from(image.cores()), loads, partitions }
    }

    /// The index of the next partition, on the core with the fewest.
    pub fn place(&mut self) -> u32 {
        let Reverse((load, core)) = self.loads.pop().expect("at least one core");
        self.loads.push(Reverse((load + 1, core)));
        self.index_on(core)
    }

    /// The index of the next partition, on a core that was asked for.
    pub fn place_on(&mut self, core: CoreId) -> u32 {
        let core = u32::from(core.0);
        assert!(core < self.cores);
        let raise = |Reverse((load, other))| Reverse((load + u32::from(other == core), other));
        self.loads = self.loads.drain().map(raise).collect();
        self.index_on(core)
    }

    fn index_on(&mut self, core: u32) -> u32 {
        let index = self.partitions + (core + self.cores - self.partitions % self.cores) % self.cores;
        assert_eq!(index % self.cores, core);
        self.partitions += 1;
        index
    }
}
