use super::{Command, Launch, LogFormat, UsageError, VERSION, parse};
use std::ffi::OsString;

fn typed(line: &str) -> Result<Command, UsageError> {
    let words = ["corelane"].into_iter().chain(line.split_whitespace());
    parse(words.map(OsString::from), vec![("TMPDIR".to_string(), "/var/tmp".to_string())])
}

fn launch(line: &str) -> Launch {
    match typed(line).unwrap_or_else(|error| panic!("{line}: {error}")) {
        Command::Run(launch) => *launch,
        other => panic!("{line} is {other:?}"),
    }
}

/// Refused with one line that has all the words.
fn refused(line: &str, words: &[&str]) {
    let error = typed(line).expect_err(line).to_string();
    assert!(!error.contains('\n') && error.starts_with("corelane: "), "{error}");
    for word in words {
        assert!(error.contains(word), "{line}: no {word} in: {error}");
    }
}

#[test]
fn dev_without_anything() {
    let launch = launch("dev");
    assert_eq!(launch.config.listener.to_string(), "127.0.0.1:9092");
    assert!(launch.config.auto_create_topics && launch.cores > 0);
    let path = launch.dev_directory.as_ref().unwrap().path().to_path_buf();
    assert!(path.is_dir() && launch.config.data_dir == path.to_str().unwrap());
    drop(launch);
    assert!(!path.exists());
}

#[test]
fn dev_with_everything() {
    let launch = launch(
        "dev --data-dir /d --port 7000 --cores 2 --host ::1 --set num.partitions=4 --set=durability=device --log-format json",
    );
    assert_eq!((launch.cores, launch.config.data_dir.as_str(), launch.log_format), (2, "/d", LogFormat::Json));
    assert_eq!(launch.config.listener.to_string(), "[::1]:7000");
    assert_eq!(launch.config.topic_defaults.partitions, 4);
    assert!(launch.dev_directory.is_none());
    let listeners = ["[::1]:7000".to_string(), "[::1]:7001".to_string()];
    assert_eq!(launch.ready_line(&listeners), "ready node=0 cores=2 listeners=[::1]:7000,[::1]:7001");
    assert!(launch.welcome(&listeners).unwrap().contains("kcat -b [::1]:7000 -P -t demo"));
}

#[test]
fn start_reads_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.properties");
    std::fs::write(&file, "log.dirs=/d\ncores=2\nnode.id=4\n").unwrap();
    let launch = launch(&format!("start --config {} --set cores=3", file.display()));
    assert_eq!((launch.cores, launch.config.machine.0), (3, 4));
    assert!(launch.welcome(&[]).is_none());
    std::fs::write(&file, "log.dirs=/d\nnum.partition=1\n").unwrap();
    refused(
        &format!("start --config {}", file.display()),
        &["server.properties line 2", "did you mean num.partitions?"],
    );
}

#[test]
fn whatever_is_wrong_is_one_line_that_names_it() {
    refused("start --config /does/not/exist", &["/does/not/exist", "cannot read"]);
    refused("start", &["--config"]);
    refused("dev --prot 1", &["--prot", "--port"]);
    refused("dev --port 70000", &["70000", "--port"]);
    refused("dev --cores 0 --data-dir /d", &["--cores=0", "1 to 1000"]);
    refused("dev --data-dir /d --set durability", &["--set durability", "key=value"]);
    refused("dev --data-dir /d --port 65535 --cores 2", &["65535"]);
    refused("dev --log-format xml", &["xml", "--log-format", "json"]);
    refused("serve", &["serve"]);
    refused("", &["dev", "start", "version"]);
}

#[test]
fn version_and_help_print() {
    assert!(matches!(typed("version"), Ok(Command::Print(text)) if text == format!("{VERSION}\n")));
    assert!(matches!(typed("dev --help"), Ok(Command::Print(text)) if text.contains("--data-dir")));
}
