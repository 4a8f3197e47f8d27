//! Runs scenarios under callgrind, one process each, and compares with `benches/instructions.tsv`.

use crate::scenario::SCENARIOS;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Counts every scenario and prints the difference. `write`: the counts become the committed ones.
pub fn count(write: bool) -> Result<(), String> {
    let Some(valgrind) = version_of("valgrind") else {
        println!("paths: no instruction counts: valgrind is not installed");
        return Ok(());
    };
    let tools = format!("{}, {valgrind}", version_of("rustc").unwrap_or_else(|| "rustc unknown".to_string()));
    let committed = Committed::read(&table())?;
    let profiles = profiles()?;
    println!("{:<32} {:>12} {:>12} {:>9}", "instructions per request", "committed", "now", "change");
    let mut lines = String::new();
    for scenario in SCENARIOS {
        let now = count_one(scenario.name, &profiles)?;
        lines.push_str(&format!("{}\t{now}\n", scenario.name));
        match committed.counts.get(scenario.name) {
            Some(then) => {
                let percent = (now as f64 / *then as f64 - 1.0) * 100.0;
                println!("{:<32} {then:>12} {now:>12} {percent:>+8.1}%", scenario.name);
            }
            None => println!("{:<32} {:>12} {now:>12} {:>9}", scenario.name, "-", "new"),
        }
    }
    if committed.tools != tools {
        println!("committed with {}; counted now with {tools}", committed.tools);
    }
    println!("profiles: callgrind_annotate {}/SCENARIO.out", profiles.display());
    if write {
        let text = format!("# {COMMENT}\n# {tools}\n{lines}");
        fs::write(table(), text).map_err(|error| format!("cannot write {}: {error}", table().display()))?;
    }
    Ok(())
}

/// The committed counts.
struct Committed {
    counts: BTreeMap<String, u64>,
    /// What they were counted with.
    tools: String,
}

impl Committed {
    fn read(path: &Path) -> Result<Committed, String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let tools = text.lines().filter_map(|line| line.strip_prefix("# ")).nth(1).unwrap_or("nothing").to_string();
        let mut counts = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let row = line.split_once('\t').and_then(|(name, count)| Some((name.to_string(), count.parse().ok()?)));
            let (name, count) = row.ok_or_else(|| format!("{}: no count in {line:?}", path.display()))?;
            counts.insert(name, count);
        }
        Ok(Committed { counts, tools })
    }
}

/// Instructions per request of one scenario, in a process of its own.
fn count_one(name: &str, profiles: &Path) -> Result<u64, String> {
    let own = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let profile = profiles.join(format!("{name}.out"));
    let _ = fs::remove_file(&profile);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured*", "--dump-instr=no", "--quiet"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(own)
        .args(["--scenario", name])
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        // When memory goes back to the kernel depends on the clock.
        .env("MIMALLOC_PURGE_DELAY", "-1")
        // callgrind takes each byte of a `rep movsb` for an instruction, and when the C library uses it depends on the processor.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000",
        )
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let requests = printed.trim().parse::<u64>().ok().filter(|requests| output.status.success() && *requests > 0);
    let Some(requests) = requests else {
        return Err(format!("{name} failed: {printed}{}", String::from_utf8_lossy(&output.stderr)));
    };
    let text = fs::read_to_string(&profile).map_err(|error| format!("{}: {error}", profile.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("summary: ").or(line.strip_prefix("totals: ")));
    let total = total.and_then(|total| total.trim().parse::<u64>().ok()).filter(|total| *total > 0);
    let total = total.ok_or_else(|| format!("{name}: callgrind collected nothing"))?;
    Ok(total / requests)
}

fn version_of(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn table() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.tsv")
}

/// Where the profiles go: beside what cargo builds.
fn profiles() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let dir = own.ancestors().nth(2).ok_or("this program lies in no target directory")?.join("callgrind");
    fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    Ok(dir)
}

/// First line of the table; the second one says what counted.
const COMMENT: &str = "Instructions per request of benches/paths; refreshed by: cargo bench --bench paths -- --write";
