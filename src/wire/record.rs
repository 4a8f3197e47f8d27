//! Records inside an uncompressed v2 batch, walked without copying anything: only as far as somebody has to look.
//!
//! ```text
//! record   length varint | attributes i8 | timestamp delta varlong | offset delta varint | key length varint (-1: null) | key | ...
//! ```
//! Varints here are zigzag-coded.

/// The records are not what their count and lengths say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Indexes of the records that have no key. `records` is what follows the header of an uncompressed batch of `count` records.
pub fn records_without_key(records: &[u8], count: i32) -> Result<Vec<i32>, Malformed> {
    let mut without = Vec::new();
    let mut rest = records;
    for index in 0..count {
        let length = usize::try_from(varint(&mut rest)?).map_err(|_| Malformed)?;
        let (mut record, behind) = rest.split_at_checked(length).ok_or(Malformed)?;
        rest = behind;
        record = record.get(1..).ok_or(Malformed)?;
        varint(&mut record)?;
        varint(&mut record)?;
        match varint(&mut record)? {
            -1 => without.push(index),
            length if usize::try_from(length).is_ok_and(|length| length <= record.len()) => {}
            _ => return Err(Malformed),
        }
    }
    if rest.is_empty() { Ok(without) } else { Err(Malformed) }
}

fn varint(bytes: &mut &[u8]) -> Result<i64, Malformed> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Length 6 (key "k") or 5 (no key), attributes, timestamp delta, offset delta, key, empty value, no headers.
    const KEYED: &[u8] = &[14, 0, 0, 0, 2, b'k', 0, 0];
    const KEYLESS: &[u8] = &[12, 0, 0, 2, 1, 0, 0];

    #[test]
    fn keyless_records_are_named() {
        assert_eq!(records_without_key(KEYED, 1), Ok(vec![]));
        assert_eq!(records_without_key(&[KEYED, KEYLESS, KEYED, KEYLESS].concat(), 4), Ok(vec![1, 3]));
    }

    #[test]
    fn nothing_is_read_beyond_the_bytes() {
        let two = [KEYED, KEYLESS].concat();
        assert_eq!(records_without_key(&two, 1), Err(Malformed), "bytes behind the last record");
        assert_eq!(records_without_key(&two, 3), Err(Malformed), "fewer records than counted");
        for cut in 1..two.len() {
            assert_eq!(records_without_key(&two[..cut], 2), Err(Malformed), "cut at {cut}");
        }
        assert_eq!(records_without_key(&[0xFF; 20], 1), Err(Malformed), "a number without an end");
        assert_eq!(records_without_key(&[14, 0, 0, 0, 0x7E, b'k', 0, 0], 1), Err(Malformed), "a key beyond its record");
        assert_eq!(records_without_key(&[14, 0, 0, 0, 3, b'k', 0, 0], 1), Err(Malformed), "a negative length");
    }
}
