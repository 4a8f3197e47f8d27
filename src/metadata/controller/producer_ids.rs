//! Producer ids, handed to cores in blocks so that InitProducerId seldom waits for the metadata log.

use crate::base::limits::PRODUCER_IDS_PER_BLOCK;
use crate::metadata::controller::Decision;
use crate::metadata::image::Image;
use crate::metadata::record::{ProducerIdsRecord, Record};
use std::ops::Range;

/// The next block of ids; nobody is ever given one of them again. What a core leaves unused at its end is lost.
pub fn allocate_producer_ids(image: &Image) -> Decision<Range<i64>> {
    let first = image.producer_id_next();
    let next = first.checked_add(PRODUCER_IDS_PER_BLOCK).expect("2^63 producer ids");
    Decision { records: vec![Record::ProducerIds(ProducerIdsRecord { next })], answer: first..next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_never_overlap() {
        let mut image = Image::new();
        let mut end = 0;
        for _ in 0..3 {
            let decision = allocate_producer_ids(&image);
            assert_eq!((decision.answer.start, decision.answer.end), (end, end + PRODUCER_IDS_PER_BLOCK));
            end = decision.answer.end;
            image = image.apply(&decision.records).expect("legal").0;
        }
    }
}
