//! Where `corelane dev` keeps data when nobody says: a directory of its own on a real disk, gone at exit.

use crate::cli::UsageError;
use std::path::{Path, PathBuf};

/// A directory that is removed when this is dropped.
#[derive(Debug)]
pub struct DevDirectory(PathBuf);

impl DevDirectory {
    /// Makes one in the first of `$TMPDIR`, /tmp, /var/tmp, the user's cache folder and the working directory that is
    /// on a disk. On a tmpfs the broker would measure memory, and older kernels refuse O_DIRECT there.
    pub(super) fn create(environment: &[(String, String)]) -> Result<DevDirectory, UsageError> {
        let variable =
            |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| PathBuf::from(value));
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        let fixed = ["/tmp", "/var/tmp"].map(|path| Some(PathBuf::from(path)));
        let parents = [variable("TMPDIR")].into_iter().chain(fixed).chain([cache, Some(PathBuf::from("."))]);
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for parent in parents.flatten().filter_map(|parent| parent.canonicalize().ok()) {
            if in_memory(&parent, &mounts) {
                continue;
            }
            let path = parent.join(format!("corelane-dev-{}", std::process::id()));
            if std::fs::create_dir(&path).is_ok() {
                return Ok(DevDirectory(path));
            }
        }
        Err(UsageError("found no disk for a temporary data directory; name one with --data-dir".to_string()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for DevDirectory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("corelane: {} stays behind: {error}", self.0.display());
        }
    }
}

/// True if the mount that `path` lies on (the longest mount point above it, the last one of equals) lives in memory.
fn in_memory(path: &Path, mounts: &str) -> bool {
    let mut found = (0, "");
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(point), Some(kind)) = (words.next(), words.next()) else { continue };
        let point = point.replace("\\040", " ");
        if path.starts_with(&point) && point.len() >= found.0 {
            found = (point.len(), kind);
        }
    }
    matches!(found.1, "tmpfs" | "ramfs" | "devtmpfs")
}

#[cfg(test)]
mod tests {
    use super::in_memory;
    use std::path::Path;

    #[test]
    fn the_nearest_mount_decides() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/my\\040disk xfs rw 0 0\n";
        assert!(in_memory(Path::new("/tmp/x"), mounts));
        assert!(!in_memory(Path::new("/tmp/my disk/x"), mounts));
        assert!(!in_memory(Path::new("/tmpfoo"), mounts));
        assert!(!in_memory(Path::new("/var/tmp"), mounts));
    }
}
