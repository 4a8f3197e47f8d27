//! Records about this machine: its start and stop, its generations of journals (S19). Made by the start, not on request.

use crate::base::ids::MachineId;
use crate::metadata::image::Image;
use crate::metadata::record::*;

/// The records of a start, to be durable before anything else is: the next boot, and the machine's registration.
pub fn boot_records(image: &Image, incarnation_id: [u8; 16], wall_ms: i64) -> Vec<Record> {
    let machine = this_machine(image);
    // Kafka's broker epoch is the offset of the registration.
    let broker_epoch = image.end_offset() as i64 + 1;
    vec![
        Record::Boot(BootRecord { machine, boot: image.boot() + 1, wall_ms }),
        Record::RegisterMachine(RegisterMachineRecord { machine, incarnation_id, broker_epoch }),
    ]
}

/// Begins a new generation of journals; its number was never used before, whatever became of earlier attempts.
pub fn generation_records(image: &Image) -> (u32, Vec<Record>) {
    let generation = image.generation_begun() + 1;
    (generation, vec![Record::GenerationBegun(GenerationBegunRecord { generation })])
}

/// The flip: from here on the begun generation's journals count.
pub fn layout_records(image: &Image, cores: u16) -> Vec<Record> {
    let generation = image.generation_begun();
    assert!(generation > image.generation(), "a layout without a generation of its own");
    vec![Record::Layout(LayoutRecord { generation, cores })]
}

/// The clean stop of this boot: everything is flushed and marked on all cores.
pub fn clean_shutdown_records(image: &Image) -> Vec<Record> {
    vec![Record::CleanShutdown(CleanShutdownRecord { machine: this_machine(image), boot: image.boot() })]
}

fn this_machine(image: &Image) -> MachineId {
    image.machine().expect("a formatted log")
}
