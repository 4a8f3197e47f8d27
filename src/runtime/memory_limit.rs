//! How much memory this process may use: the machine's, or what its control groups leave of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of memory that this process may use; `None` if the kernel does not tell.
pub fn bytes() -> Option<u64> {
    let machine = of_machine(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = files(&groups).into_iter().filter_map(|file| of_group(&fs::read_to_string(file).ok()?));
    Some(limits.fold(machine, u64::min))
}

/// `MemTotal` of `/proc/meminfo`.
fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// A control group's limit; `max` and version 1's huge number for "none" are no limit.
fn of_group(limit: &str) -> Option<u64> {
    limit.trim().parse().ok()
}

/// Files that may hold a limit, by the lines `hierarchy:controllers:path` of `/proc/self/cgroup`: those of the group and of all above
/// it. Inside a container the path can be one of the host, which does not exist here: the group mounted at the root is the
/// container's own then, and is among them too.
fn files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let path = Path::new(path.trim_start_matches('/'));
        files.extend(path.ancestors().map(|group| Path::new(root).join(group).join(name)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory() {
        assert!(bytes().unwrap() > 64 << 20);
    }

    #[test]
    fn the_machine_tells_its_memory_in_kib() {
        assert_eq!(of_machine("MemTotal:       24615412 kB\nMemFree: 1 kB\n"), Some(24_615_412 * 1024));
        assert_eq!(of_machine("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn a_group_has_a_limit_or_none() {
        assert_eq!(of_group("536870912\n"), Some(536_870_912));
        assert_eq!(of_group("max\n"), None);
    }

    #[test]
    fn a_group_and_all_above_it_count_in_both_versions() {
        let one =
            |text: &str| files(text).into_iter().map(|path| path.to_str().unwrap().to_string()).collect::<Vec<_>>();
        let two = ["/sys/fs/cgroup/a/b/memory.max", "/sys/fs/cgroup/a/memory.max", "/sys/fs/cgroup/memory.max"];
        assert_eq!(one("0::/a/b\n"), two);
        let first = ["/sys/fs/cgroup/memory/c/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
        assert_eq!(one("5:devices:/x\n4:cpu,memory:/c\nrubbish\n"), first);
    }
}
