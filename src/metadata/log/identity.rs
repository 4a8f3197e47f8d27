//! `metadata/meta.properties`: whose data a directory holds, for people and against mixed-up directories. The Format record
//! says the same; the file is written once, before the log, and never changes.

use crate::base::gather::Gather;
use crate::base::ids::MachineId;
use crate::base::prng::Prng;
use crate::base::storage::BLOCK_BYTES;
use crate::metadata::record::FormatRecord;
use bytes::Bytes;

/// Name of the file inside `metadata/`.
pub const IDENTITY_NAME: &str = "meta.properties";

const HEADING: &str = "# Whose data this directory holds. Written once; do not edit.\n";

/// A new directory's identity.
pub fn new_identity(machine: MachineId, cluster_id: Option<&str>, entropy: &mut Prng) -> FormatRecord {
    let random =
        |entropy: &mut Prng| (u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64())).to_be_bytes();
    let cluster_id = match cluster_id {
        Some(given) => given.to_string(),
        None => loop {
            let id = url_base64(random(entropy));
            if !id.starts_with('-') {
                break id;
            }
        },
    };
    FormatRecord { cluster_id, machine, directory_id: random(entropy) }
}

/// The file's content: one block, so that no padding is added to it.
pub fn encode_identity(identity: &FormatRecord) -> Gather {
    let mut text = properties(identity);
    text.push_str(&format!("checksum={:08x}\n", crc32c::crc32c(text.as_bytes())));
    let blanks = BLOCK_BYTES as usize - text.len() % BLOCK_BYTES as usize;
    text.push_str(&"\n".repeat(blanks % BLOCK_BYTES as usize));
    Gather::from(Bytes::from(text))
}

/// Why the file does not fit the log's Format record.
pub fn check_identity(bytes: &[u8], identity: &FormatRecord) -> Result<(), String> {
    let expected = encode_identity(identity).to_vec();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\0']).to_string();
    if text(bytes) == text(&expected) {
        return Ok(());
    }
    Err(format!("it says {:?}, the log says {:?}", lines(&text(bytes)), lines(&text(&expected))))
}

fn properties(identity: &FormatRecord) -> String {
    let directory = u128::from_be_bytes(identity.directory_id);
    format!(
        "{HEADING}version=1\ncluster.id={}\nnode.id={}\ndirectory.id={directory:032x}\n",
        identity.cluster_id, identity.machine.0
    )
}

/// The properties without comments, at most 200 characters.
fn lines(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

/// 22 characters of URL-safe base64 without padding: Kafka's form of an id.
fn url_base64(bytes: [u8; 16]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = u128::from_be_bytes(bytes);
    let digit = |index: u32| {
        // 21 digits of 6 bits from the top, then the last 2 bits as the top of a digit.
        let bits = if index < 21 { value >> (122 - 6 * index) } else { value << 4 };
        char::from(DIGITS[(bits & 63) as usize])
    };
    (0..22).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_base64() {
        // Kafka's Uuid.toString of 0x00010203...0f and of all ones.
        assert_eq!(url_base64([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]), "AAECAwQFBgcICQoLDA0ODw");
        assert_eq!(url_base64([0xFF; 16]), "_____________________w");
    }

    #[test]
    fn another_identity_is_found_out() {
        let identity = new_identity(MachineId(3), None, &mut Prng::new(1));
        let bytes = encode_identity(&identity).to_vec();
        assert_eq!(bytes.len(), BLOCK_BYTES as usize);
        assert_eq!(check_identity(&bytes, &identity), Ok(()));
        let other = FormatRecord { machine: MachineId(4), ..identity.clone() };
        let why = check_identity(&bytes, &other).expect_err("another machine");
        assert!(why.contains("node.id=3") && why.contains("node.id=4"), "{why}");
        let mut rotten = bytes;
        rotten[80] ^= 1;
        assert!(check_identity(&rotten, &identity).is_err());
    }
}
