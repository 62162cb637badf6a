//! What a container on this machine uses, read from the kernel's control groups: a few small files, and the engine is
//! not asked.

use std::fs;
use std::path::{Path, PathBuf};

use super::ContainerUsage;

/// What a container uses; `None` when its group is not found below `root` ([`ROOT`](super::cgroup::ROOT)), because it
/// does not run, is on another machine, or somewhere this engine was told to put it.
pub fn of(root: &Path, container: &str) -> Option<ContainerUsage> {
    // It becomes part of a path.
    if container.is_empty() || !container.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    // By the driver `cgroupfs`, and by the driver `systemd`.
    let groups = [format!("docker/{container}"), format!("system.slice/docker-{container}.scope")];
    groups.iter().find_map(|group| in_group(root, group))
}

fn in_group(root: &Path, group: &str) -> Option<ContainerUsage> {
    let one = root.join(group);
    if let Some(cpu_micros) = field(&one.join("cpu.stat"), "usage_usec") {
        let memory = number(&one.join("memory.current")).unwrap_or(0);
        let files = field(&one.join("memory.stat"), "inactive_file").unwrap_or(0);
        return Some(ContainerUsage { cpu_micros, memory: memory.saturating_sub(files) });
    }
    let below =
        |controller: &str, file: &str| -> PathBuf { root.join(controller).join(group).join(file) };
    let nanos = number(&below("cpuacct", "cpuacct.usage"))?;
    let memory = number(&below("memory", "memory.usage_in_bytes")).unwrap_or(0);
    let files = field(&below("memory", "memory.stat"), "total_inactive_file").unwrap_or(0);
    Some(ContainerUsage { cpu_micros: nanos / 1000, memory: memory.saturating_sub(files) })
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number after a word in a table of the kernel.
fn field(file: &Path, word: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    rest?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
    }

    #[test]
    fn both_versions_and_both_drivers_are_read() {
        let root = tempfile::tempdir().expect("a directory");
        write(
            root.path(),
            &[
                ("system.slice/docker-aa.scope/cpu.stat", "usage_usec 1500\nuser_usec 1000\n"),
                ("system.slice/docker-aa.scope/memory.current", "4096\n"),
                ("system.slice/docker-aa.scope/memory.stat", "anon 1\ninactive_file 1024\n"),
                ("cpuacct/docker/bb/cpuacct.usage", "2500000\n"),
                ("memory/docker/bb/memory.usage_in_bytes", "8192\n"),
                ("memory/docker/bb/memory.stat", "cache 1\ntotal_inactive_file 8193\n"),
                ("docker/cc/cpu.stat", "nr_periods 0\n"),
            ],
        );
        let used = |id| of(root.path(), id).map(|usage| (usage.cpu_micros, usage.memory));
        assert_eq!(used("aa"), Some((1500, 3072)));
        assert_eq!(used("bb"), Some((2500, 0)));
        for missing in ["cc", "dd", "", "..", "../docker/bb", "a/b"] {
            assert_eq!(used(missing), None, "{missing}");
        }
    }
}
