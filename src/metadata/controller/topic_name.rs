//! Which topic names are legal (Kafka's rules and texts).

/// Longest legal name in bytes.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// Why a name is not legal.
pub fn validate_topic_name(name: &str) -> Result<(), String> {
    let why = if name.is_empty() {
        "the empty string is not allowed".to_string()
    } else if name == "." || name == ".." {
        "'.' or '..' is not allowed".to_string()
    } else if name.len() > TOPIC_NAME_BYTES_MAX {
        format!("the length of '{}...' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}", shortened(name))
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        format!(
            "'{}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            shortened(name)
        )
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {why}"))
}

/// At most 60 characters, for messages.
fn shortened(name: &str) -> String {
    name.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_rules() {
        for name in ["a", "A-z_0.9", "...", "..a", "__consumer_offsets", &"x".repeat(249)] {
            assert_eq!(validate_topic_name(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a b", "\u{fc}", "a\0", "a:b", &"x".repeat(250)] {
            let why = validate_topic_name(name).expect_err(name);
            assert!(why.starts_with("Topic name is invalid: ") && why.len() < 250, "{why}");
        }
    }
}
