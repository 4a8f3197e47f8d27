use super::*;
use crate::base::prng::Prng;

fn one_of_each() -> Vec<Record> {
    let machine = MachineId(7);
    let id = TopicId([0xAB; 16]);
    let partition = PartitionRecord {
        topic: id,
        partition: 300,
        replicas: vec![MachineId(7), MachineId(0), MachineId(2_147_483)],
        isr: vec![MachineId(7)],
        elr: vec![],
        last_known_elr: vec![],
        leader: machine,
        leader_epoch: 12,
        partition_epoch: i32::MAX,
        recovery_state: LeaderRecoveryState::Recovered,
        directories: vec![],
        placement: u32::MAX,
    };
    let config = ConfigRecord {
        resource_type: ResourceType::Topic,
        resource_name: "a.b".into(),
        key: "segment.bytes".into(),
        value: Some("\u{fc}ber".into()),
    };
    vec![
        Record::Format(FormatRecord { cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(), machine, directory_id: [9; 16] }),
        Record::FeatureLevel(FeatureLevelRecord { name: "metadata.version".into(), level: -1 }),
        Record::Boot(BootRecord { machine, boot: u32::MAX, wall_ms: i64::MIN }),
        Record::CleanShutdown(CleanShutdownRecord { machine, boot: 1 }),
        Record::RegisterMachine(RegisterMachineRecord { machine, incarnation_id: [1; 16], broker_epoch: i64::MAX }),
        Record::GenerationBegun(GenerationBegunRecord { generation: 128 }),
        Record::Layout(LayoutRecord { generation: 127, cores: u16::MAX }),
        Record::Topic(TopicRecord { name: "orders".into(), id }),
        Record::Partition(partition.clone()),
        Record::Partition(PartitionRecord {
            elr: vec![MachineId(1)],
            last_known_elr: vec![MachineId(2), MachineId(3)],
            recovery_state: LeaderRecoveryState::Recovering,
            directories: vec![[5; 16], [6; 16]],
            ..partition
        }),
        Record::RemoveTopic(RemoveTopicRecord { id }),
        Record::TopicForgotten(TopicForgottenRecord { id }),
        Record::Config(config.clone()),
        Record::Config(ConfigRecord { resource_type: ResourceType::Broker, value: None, ..config }),
        Record::ProducerIds(ProducerIdsRecord { next: 1_000 }),
    ]
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(record, &mut bytes);
    bytes
}

#[test]
fn every_kind_comes_back() {
    let records = one_of_each();
    let mut bytes = Vec::new();
    records.iter().for_each(|record| encode(record, &mut bytes));
    let mut rest = bytes.as_slice();
    for record in &records {
        assert_eq!(decode(&mut rest).as_ref(), Ok(record));
    }
    assert!(rest.is_empty());
}

#[test]
fn every_truncation_is_malformed() {
    for record in one_of_each() {
        let bytes = encoded(&record);
        for length in 0..bytes.len() {
            assert_eq!(decode(&mut &bytes[..length]), Err(DecodeError::Malformed), "{record:?} cut to {length}");
        }
    }
}

#[test]
fn unknown_tags_are_skipped() {
    for record in one_of_each() {
        let known = encoded(&record);
        let Record::RemoveTopic(_) = record else { continue };
        let mut bytes = known[..known.len() - 1].to_vec();
        bytes.extend([2, 90, 3, 1, 2, 3, 91, 0]);
        let mut rest = bytes.as_slice();
        assert_eq!(decode(&mut rest), Ok(record));
        assert!(rest.is_empty());
    }
}

#[test]
fn unknown_kinds_and_versions_are_refused() {
    assert_eq!(decode(&mut [14, 0, 0].as_slice()), Err(DecodeError::UnknownKind(14)));
    assert_eq!(decode(&mut [0, 0, 0].as_slice()), Err(DecodeError::UnknownKind(0)));
    assert_eq!(decode(&mut [6, 1, 1, 0].as_slice()), Err(DecodeError::UnknownVersion { kind: 6, version: 1 }));
}

#[test]
fn a_kind_keeps_its_bytes() {
    let bytes = encoded(&Record::Layout(LayoutRecord { generation: 3, cores: 300 }));
    assert_eq!(bytes, [7, 0, 3, 0xAC, 0x02, 0]);
    let bytes = encoded(&Record::Config(ConfigRecord {
        resource_type: ResourceType::Topic,
        resource_name: "t".into(),
        key: "k".into(),
        value: None,
    }));
    assert_eq!(bytes, [12, 0, 2, 1, b't', 1, b'k', 0, 0]);
}

#[test]
fn arbitrary_bytes_never_panic() {
    let mut prng = Prng::new(1);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = (0..prng.below(60)).map(|_| prng.next_u64() as u8).collect();
        if let Some(first) = bytes.first_mut() {
            *first = (round % 15) as u8;
        }
        let _ = decode(&mut bytes.as_slice());
    }
}
