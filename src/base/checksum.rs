//! CRC32C of whole batches, and of two pieces of bytes from the CRC32C of each, without a walk over either.
//!
//! A CRC is the remainder of the bytes, taken as a polynomial over two values, by the polynomial of the CRC. Bytes behind them
//! multiply it by a power of x, which a table has for each hexadecimal digit of their number. Numbers are reflected: the highest
//! bit is the coefficient of x^0.

/// x^32 + the rest, which is this.
const POLYNOMIAL: u32 = 0x82F6_3B78;
const ONE: u32 = 1 << 31;
/// Hexadecimal digits of a number of bytes below 4 GiB.
const DIGITS: usize = 8;
/// `SHIFTS[digit][value]` stands for `value * 16^digit` bytes.
static SHIFTS: [[u32; 16]; DIGITS] = shifts();

/// CRC32C of the bytes, by the widest instructions that the processor has.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// CRC32C of bytes whose CRC32C is `before` with `behind_bytes` bytes behind them whose CRC32C is `behind`.
pub fn combine(before: u32, behind: u32, behind_bytes: usize) -> u32 {
    assert!(behind_bytes >> (4 * DIGITS) == 0, "below 4 GiB");
    let mut shifted = before;
    for (digit, shifts) in SHIFTS.iter().enumerate() {
        let value = (behind_bytes >> (4 * digit)) & 15;
        if value != 0 {
            shifted = multiply(shifted, shifts[value]);
        }
    }
    shifted ^ behind
}

/// The product's remainder.
const fn multiply(one: u32, other: u32) -> u32 {
    let (mut product, mut shifted, mut bit) = (0, other, 32);
    while bit > 0 {
        bit -= 1;
        product ^= shifted & 0u32.wrapping_sub((one >> bit) & 1);
        shifted = (shifted >> 1) ^ (POLYNOMIAL & 0u32.wrapping_sub(shifted & 1));
    }
    product
}

const fn shifts() -> [[u32; 16]; DIGITS] {
    let mut shifts = [[ONE; 16]; DIGITS];
    // x^8: one byte.
    let mut unit = ONE >> 8;
    let mut digit = 0;
    while digit < DIGITS {
        let mut value = 1;
        while value < 16 {
            shifts[digit][value] = multiply(shifts[digit][value - 1], unit);
            value += 1;
        }
        unit = multiply(shifts[digit][15], unit);
        digit += 1;
    }
    shifts
}

#[cfg(test)]
mod tests {
    use super::{combine, crc32c as of_all};
    use crate::base::prng::Prng;

    #[test]
    fn two_pieces_are_one() {
        let mut random = Prng::new(7);
        let bytes: Vec<u8> = (0..200_000).map(|_| random.next_u64() as u8).collect();
        for behind_bytes in [0, 1, 2, 15, 16, 17, 255, 256, 4_096, 65_535, 65_536, 123_456, 199_999, 200_000] {
            let (before, behind) = bytes.split_at(bytes.len() - behind_bytes);
            let combined = combine(crc32c::crc32c(before), crc32c::crc32c(behind), behind_bytes);
            assert_eq!(combined, crc32c::crc32c(&bytes), "{behind_bytes} bytes behind");
        }
    }

    #[test]
    fn both_libraries_agree() {
        let mut random = Prng::new(8);
        let bytes: Vec<u8> = (0..70_000).map(|_| random.next_u64() as u8).collect();
        for length in (0..600).chain([4_095, 16_401, 69_997]) {
            for from in 0..3 {
                assert_eq!(of_all(&bytes[from..from + length]), crc32c::crc32c(&bytes[from..from + length]));
            }
        }
    }

    #[test]
    fn every_digit_counts() {
        for digit in 0..8 {
            let behind_bytes = 0xB << (4 * digit);
            let (before, behind) = (0x1234_5678, 0x9ABC_DEF0);
            let expected = crc32c::crc32c_combine(before, behind, behind_bytes);
            assert_eq!(combine(before, behind, behind_bytes), expected, "digit {digit}");
        }
    }
}
