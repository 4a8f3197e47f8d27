//! Searches by time while everything else goes on. What is in the simulated batches is no record, so a search ends at the first
//! visible record of the first batch whose header is late enough; the log start and the reads that follow prove the rest.

use crate::must;
use crate::outcome::{Run, violation};
use crate::world::World;
use corelane::base::ids::TopicPartition;
use corelane::base::offset::Offset;
use corelane::log::effect::{ReadError, Ticket};
use corelane::log::record_scan::{Aim, FoundRecord};

/// A search under way.
#[derive(Clone, Copy, Debug)]
pub struct PendingSearch {
    partition: TopicPartition,
    aim: Aim,
    /// Log start and high watermark when it began.
    from: i64,
    until: i64,
}

impl World {
    pub fn search_by_time(&mut self) -> Run<()> {
        let Some(id) = self.pick_open()? else { return Ok(()) };
        let core = self.core_of(id);
        let offsets = self.cores[core].log.offsets(id).expect("it is open");
        let aim = match self.prng.below(3) {
            0 => Aim::Largest,
            1 => Aim::AtLeast(0),
            _ => Aim::AtLeast(self.now().wall_ms - self.prng.below(20_000) as i64),
        };
        let (from, until) = (offsets.log_start.0, offsets.high_watermark.0);
        let ticket = self.cores[core].log.search(id, aim, Offset(until));
        self.cores[core].searches.insert(ticket, PendingSearch { partition: id, aim, from, until });
        self.end_turn(core)
    }

    pub fn on_search_done(
        &mut self,
        core: usize,
        ticket: Ticket,
        found: Result<Option<FoundRecord>, ReadError>,
    ) -> Run<()> {
        let Some(search) = self.cores[core].searches.remove(&ticket) else {
            return violation(format!("{ticket:?} is no search of core {core}"));
        };
        let PendingSearch { partition: id, aim, from, until } = search;
        let alive = self.history.partition(id).is_some();
        match found {
            Err(ReadError::Offline) if alive => self.on_offline(id, "a search ended so"),
            Err(_) => {
                must!(!alive, "{id}: {search:?} ended with {found:?}");
                Ok(())
            }
            Ok(None) => {
                let start = self.cores[core].log.offsets(id).map_or(until, |offsets| offsets.log_start.0);
                let all = matches!(aim, Aim::AtLeast(0) | Aim::Largest);
                must!(!all || start >= until, "{id}: {search:?} found nothing, the log starts at {start}");
                Ok(())
            }
            Ok(Some(found)) => {
                let late = !matches!(aim, Aim::AtLeast(timestamp) if found.timestamp < timestamp);
                must!((from..until).contains(&found.offset.0) && late, "{id}: {search:?} found {found:?}");
                if aim == Aim::AtLeast(0) {
                    let start = self.cores[core].log.offsets(id).map_or(until, |offsets| offsets.log_start.0);
                    must!((from..=start).contains(&found.offset.0), "{id}: {search:?} found {found:?}, not the first");
                }
                self.coverage.hit("record found by time");
                Ok(())
            }
        }
    }
}
