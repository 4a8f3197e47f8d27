//! Text that people and clients write: properties files, environment, listeners, topic configs.

use crate::engine::{Target, bounded, magnitude, outcome};
use corelane::base::config::Config;
use corelane::base::config::listeners::ListenerNames;
use corelane::base::config::properties;
use corelane::base::config::sources::Inputs;
use corelane::base::config::table::KEYS;
use corelane::base::prng::Prng;
use corelane::metadata::broker_wide::BrokerWide;
use corelane::metadata::topic_config::{
    TopicSettings, topic_config, validate_topic_config, validate_topic_configs_together,
};
use std::collections::BTreeMap;
use std::time::Duration;

const LONGEST: Duration = Duration::from_millis(500);

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A key of the table somewhere, with something else as its value.
fn mend_properties(text: &mut Vec<u8>, prng: &mut Prng) {
    if prng.percent(50) {
        let key = &KEYS[prng.below(KEYS.len() as u64) as usize];
        let values =
            [key.default, "", "-1", "0", "1", "99999999999999999999", "true", "\\u0041", "host:1", "[::1]:70000", "é"];
        let value = values[prng.below(values.len() as u64) as usize];
        text.extend_from_slice(format!("\n{}={value}", key.name).as_bytes());
    }
}

#[test]
fn properties_files() {
    let base = "log.dirs=/d\nnode.id=3\n";
    Target {
        name: "properties_files",
        rounds: 800,
        longest: LONGEST,
        corpus: texts(&[
            &format!(
                "{base}listeners=PLAINTEXT://[::1]:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\n"
            ),
            &format!("{base}advertise = per-machine\nadvertised.listeners : PLAINTEXT://broker.example:19092\ncores 4"),
            &format!(
                "{base}# a comment\\\nlog.retention.hours=1\\\n 6\nlog.segment.bytes=1048576\ndurability=device\n"
            ),
            "a\\=b\\ c=tab\\there\\u0041\\q\n!x\n\u{feff}y:\\\\\nlog.dirs=/d",
        ]),
        mend: &mend_properties,
        judge: &|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let parsed = bounded(text.len(), 32, 1 << 12, || properties::parse(&text));
            if let Ok(parsed) = &parsed {
                check_properties(parsed);
            }
            // The same text as the environment and as flags.
            let lines = || text.lines().filter_map(|line| line.split_once('='));
            let environment = lines()
                .map(|(key, value)| (format!("KAFKA_{}", key.to_uppercase().replace('.', "_")), value.to_string()));
            let flags = lines().map(|(key, value)| (format!("--set {key}"), key.to_string(), value.to_string()));
            let file = Inputs { file: Some(("f".into(), text.to_string())), ..Inputs::default() };
            let environment = Inputs { environment: environment.collect(), dev: true, ..Inputs::default() };
            let flags = Inputs { flags: flags.collect(), ..Inputs::default() };
            let loaded = [file, environment, flags].map(|inputs| match Config::load(&inputs) {
                Ok(loaded) => magnitude(loaded.notices.len()),
                Err(error) => 100 + magnitude(error.0.len()),
            });
            outcome((parsed.is_ok(), loaded))
        },
    }
    .run();
}

/// Written with every character escaped that may be, the entries read the same.
fn check_properties(parsed: &[properties::Property]) {
    let escaped = |text: &str| -> String {
        let one = |letter: char| match letter {
            '\n' => "\\n".to_string(),
            '\r' => "\\r".to_string(),
            '\t' => "\\t".to_string(),
            '\u{c}' => "\\f".to_string(),
            letter if "\\=: #!".contains(letter) || letter.is_whitespace() => format!("\\{letter}"),
            letter => letter.to_string(),
        };
        text.chars().map(one).collect()
    };
    let text: String =
        parsed.iter().map(|entry| format!("{}={}\n", escaped(&entry.key), escaped(&entry.value))).collect();
    // Line breaks that are not escaped sequences of their own cannot be told from the end of a line.
    if parsed.iter().any(|entry| {
        entry.key.chars().chain(entry.value.chars()).any(|letter| "\u{85}\u{2028}\u{2029}\u{b}\0".contains(letter))
    }) {
        return;
    }
    let again = properties::parse(&text).expect("legal");
    let meaning = |entries: &[properties::Property]| -> Vec<(String, String)> {
        entries.iter().map(|entry| (entry.key.clone(), entry.value.trim().to_string())).collect()
    };
    assert_eq!(meaning(&again), meaning(parsed), "{text:?}");
}

#[test]
fn listeners() {
    Target {
        name: "listeners",
        rounds: 400_000,
        longest: LONGEST,
        corpus: texts(&[
            "PLAINTEXT://localhost:9092",
            "INSIDE://[::1]:0,CONTROLLER://:9093",
            "127.0.0.1:9092",
            "PLAINTEXT://:65535,OUTSIDE://h:1",
            "CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT",
        ]),
        mend: &|_, _| {},
        judge: &|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let names = ListenerNames::parse("CONTROLLER", "CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT,OUTSIDE:SASL_SSL")
                .expect("legal");
            let other = ListenerNames::parse(&text, &text);
            let read = bounded(text.len(), 32, 1 << 12, || names.client_endpoint(&text));
            if let Ok(endpoint) = &read {
                let shown = endpoint.to_string();
                assert_eq!(names.client_endpoint(&shown).as_ref(), Ok(endpoint), "{shown}");
                let _ = (endpoint.is_exposed(), endpoint.is_wildcard());
            }
            outcome((read.map(|endpoint| endpoint.port == 0).map_err(|why| magnitude(why.len())), other.is_ok()))
        },
    }
    .run();
}

/// `key=value` lines as a client's topic configs: what is accepted one by one and together must have settings.
#[test]
fn topic_configs() {
    let broker = BrokerWide::new(&Config::for_tests("/d", &[]).topic_defaults);
    Target {
        name: "topic_configs",
        rounds: 10_000,
        longest: LONGEST,
        corpus: texts(&[
            "retention.ms=-1\nretention.bytes=1000\nsegment.bytes=1048576\nsegment.ms=1",
            "cleanup.policy=compact,delete\nmin.compaction.lag.ms=5\nmax.compaction.lag.ms=9",
            "durability=memory\nmessage.timestamp.type=LogAppendTime\nmin.insync.replicas=2",
            "compression.type=gzip\ncompression.gzip.level=9\nmin.cleanable.dirty.ratio=0.5",
            "max.message.bytes= 1000 \nmessage.timestamp.after.max.ms=+5\nunclean.leader.election.enable=TRUE",
        ]),
        mend: &|text, prng| {
            let keys = [
                "retention.ms",
                "segment.bytes",
                "internal.segment.bytes",
                "compression.gzip.level",
                "min.cleanable.dirty.ratio",
                "max.message.bytes",
            ];
            let values =
                ["-2", "9223372036854775807", "-9223372036854775808", "1e3", "NaN", "0x10", " 7", "+7", "inf", "٣"];
            if prng.percent(40) {
                let (key, value) =
                    (keys[prng.below(keys.len() as u64) as usize], values[prng.below(values.len() as u64) as usize]);
                text.extend_from_slice(format!("\n{key}={value}").as_bytes());
            }
        },
        judge: &|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let mut overrides = BTreeMap::new();
            let mut refused = 0;
            for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
                match bounded(key.len() + value.len(), 64, 1 << 14, || validate_topic_config(key, Some(value))) {
                    Ok(line) => drop(overrides.insert(line.key.to_string(), value.to_string())),
                    Err(why) => {
                        assert!(!why.contains('\n') && why.len() < 1000, "{why}");
                        refused += 1;
                    }
                }
            }
            let together = validate_topic_configs_together(&overrides, &broker);
            if together.is_err() {
                return 1;
            }
            let settings = TopicSettings::new(&overrides, &broker);
            assert!(settings.segment_bytes <= 1 << 31 && settings.max_message_bytes <= 1 << 31);
            assert!(overrides.keys().all(|key| topic_config(key).is_some()));
            let kinds =
                (settings.durability, settings.compacted, settings.deleted, settings.compression.map(|one| one.codec));
            outcome((kinds.0, kinds.1, kinds.2, kinds.3, magnitude(refused), magnitude(overrides.len())))
        },
    }
    .run();
}
