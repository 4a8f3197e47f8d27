//! Record batches made by a client's encoder, and read back after the broker stamped them.

use bytes::{Bytes, BytesMut};
use corelane::base::error_code::ErrorCode;
use corelane::wire::record_batch::{Batches, apply_timestamp_type, crc_matches, stamp, validate_for_produce};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

fn record(index: i64) -> Record {
    Record {
        transactional: true,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: 77,
        producer_epoch: 3,
        timestamp_type: TimestampType::Creation,
        offset: index,
        sequence: 500 + index as i32,
        timestamp: 1_000_000 + index,
        key: (index % 2 == 0).then(|| Bytes::from_static(b"key")),
        value: Some(Bytes::from(vec![index as u8; 50])),
        headers: Default::default(),
    }
}

fn encode(records: &[Record]) -> BytesMut {
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, records, &options).expect("encodes");
    bytes
}

#[test]
fn batches_of_a_client_are_accepted_and_stay_readable() {
    let sent: Vec<Record> = (0..100).map(record).collect();
    let mut batch = encode(&sent);
    let mut header = validate_for_produce(&batch, 9, 1 << 20).expect("accepted");
    assert_eq!((header.record_count, header.last_offset_delta, header.base_sequence), (100, 99, 500));
    assert_eq!((header.producer_id, header.producer_epoch), (77, 3));
    assert_eq!((header.base_timestamp, header.max_timestamp), (1_000_000, 1_000_099));
    assert!(header.is_transactional() && header.has_producer() && !header.is_control());
    assert_eq!((header.codec(), header.total_bytes), (0, batch.len()));

    stamp(&mut batch, 12_345, 8);
    apply_timestamp_type(&mut batch, &mut header, Some(2_000_000));
    let (range, stamped) = Batches::new(&batch).next().expect("one").expect("whole");
    assert_eq!((range, stamped.base_offset, stamped.leader_epoch), (0..batch.len(), 12_345, 8));
    assert!(crc_matches(&batch, &stamped));

    let got = RecordBatchDecoder::decode(&mut batch.freeze()).expect("the client reads it").records;
    assert_eq!(got.len(), sent.len());
    for (got, sent) in got.iter().zip(&sent) {
        assert_eq!((got.offset, got.partition_leader_epoch), (12_345 + sent.offset, 8));
        assert_eq!((&got.key, &got.value), (&sent.key, &sent.value));
        assert_eq!(got.timestamp_type, TimestampType::LogAppend);
    }
}

#[test]
fn control_batches_of_a_client_are_refused() {
    let batch = encode(&[Record { control: true, ..record(0) }]);
    let refused = validate_for_produce(&batch, 9, 1 << 20).expect_err("refused");
    assert_eq!(refused.error, ErrorCode::InvalidRecord);
}
