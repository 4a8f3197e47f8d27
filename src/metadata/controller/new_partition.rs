//! What CreateTopics and CreatePartitions share: the record of a partition that is new, who may hold it, how many there may be.

use crate::base::error_code::ErrorCode;
use crate::base::ids::{BrokerId, CoreId, MachineId, TopicId};
use crate::base::limits;
use crate::metadata::controller::Refused;
use crate::metadata::image::Image;
use crate::metadata::placement::Placer;
use crate::metadata::record::{LeaderRecoveryState, PartitionRecord, Record};

/// The record of a new partition: on `core`, or where there are fewest.
pub(super) fn new_partition(
    image: &Image,
    placer: &mut Placer,
    topic: TopicId,
    partition: i32,
    core: Option<CoreId>,
) -> Record {
    let machine = image.machine().expect("a formatted log");
    let placement = match core {
        Some(core) => placer.place_on(core),
        None => placer.place(),
    };
    Record::Partition(PartitionRecord {
        topic,
        partition,
        replicas: vec![machine],
        isr: vec![machine],
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        leader: machine,
        leader_epoch: 0,
        partition_epoch: 0,
        recovery_state: LeaderRecoveryState::Recovered,
        directories: Vec::new(),
        placement,
    })
}

/// The core that a manual assignment names.
pub(super) fn assigned_core(image: &Image, brokers: &[i32]) -> Result<CoreId, Refused> {
    let invalid = |why: String| Err(Refused::new(ErrorCode::InvalidReplicaAssignment, why));
    let machine = image.machine().unwrap_or(MachineId(0));
    let mut core = None;
    for broker in brokers {
        let known = (0..image.cores()).map(CoreId).find(|core| BrokerId::new(machine, *core).0 == *broker);
        if known.is_none() {
            let why =
                format!("The manual partition assignment includes broker {broker}, but no such broker is registered.");
            return invalid(why);
        }
        core = core.or(known);
    }
    match core {
        None => invalid("The manual partition assignment includes an empty replica list.".to_string()),
        Some(_) if brokers.len() > 1 => invalid(format!(
            "The manual partition assignment includes the brokers {brokers:?}, which are cores of one machine: each \
             copy needs a machine of its own."
        )),
        Some(core) => Ok(core),
    }
}

/// `wanted`: partitions that one request makes in all.
pub(super) fn check_partition_bounds(image: &Image, wanted: usize) -> Result<(), Refused> {
    let refuse = |why| Err(Refused::new(ErrorCode::PolicyViolation, why));
    if wanted > limits::PARTITIONS_PER_REQUEST_MAX {
        let max = limits::PARTITIONS_PER_REQUEST_MAX;
        return refuse(format!("Excessively large number of partitions per request: at most {max} are possible."));
    }
    if image.topics().partition_count() + wanted > limits::PARTITIONS_PER_MACHINE_MAX {
        let max = limits::PARTITIONS_PER_MACHINE_MAX;
        return refuse(format!("This machine holds at most {max} partitions; delete topics first."));
    }
    Ok(())
}
