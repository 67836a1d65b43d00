//! What must hold before the first fan comes: the target is ours to load, and the
//! crowd fits into the open files and ports that this machine gives.

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::http::origin::Origin;

/// Connections for ordinary requests in one process, over all targets.
pub const CONNECTIONS_MAX: u32 = 256;
/// Files that the process needs for itself: libraries, pipes, the runtime.
const FILES_RESERVED: u32 = 128;
/// Most child processes of one rehearsal.
pub const PROCESSES_MAX: u32 = 16;

/// Refuses a host that is not this machine unless its name was repeated.
pub fn check_owned(origin: &Origin, confirmed: &[String]) -> anyhow::Result<()> {
    if origin.is_loopback()
        || confirmed
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&origin.host))
    {
        return Ok(());
    }
    bail!(
        "{host} is not this machine; a rehearsal is a flood, so confirm that it is yours to load with: --i-own-this-target {host}",
        host = origin.host
    )
}

/// Raises the limit of open files as far as it goes and tells it.
pub fn raise_open_files() -> anyhow::Result<u32> {
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit of open files")?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
            .context("cannot raise the limit of open files")?;
    }
    Ok(u32::try_from(hard).unwrap_or(u32::MAX))
}

/// How many processes the crowd needs: each waiting fan may hold one open file.
pub fn processes_for(fans: u32, files_limit: u32, wanted: Option<u32>) -> anyhow::Result<u32> {
    let per_process = files_limit.saturating_sub(CONNECTIONS_MAX + FILES_RESERVED);
    if per_process == 0 {
        bail!("the limit of open files is {files_limit}; raise it with: ulimit -n 20000");
    }
    let needed = fans.div_ceil(per_process);
    let processes = wanted.unwrap_or(needed);
    if processes < needed || needed > PROCESSES_MAX {
        bail!(
            "{fans} fans do not fit: {processes} process(es) hold {} fans at {files_limit} open files each; \
             ask for fewer fans, more --processes (at most {PROCESSES_MAX}) or raise the limit of open files",
            u64::from(processes.min(PROCESSES_MAX)) * u64::from(per_process)
        );
    }
    Ok(processes)
}

/// Each stream takes a local port towards its edge; more edges give more ports.
pub fn check_ports(fans: u32, edges: u32, processes: u32, ports: u32) -> anyhow::Result<()> {
    let needed = fans.div_ceil(edges.max(1)) + processes * CONNECTIONS_MAX;
    if needed > ports {
        bail!(
            "{fans} fans need about {needed} local ports towards each edge and this machine has {ports}; \
             name more edges with --target, or ask for fewer fans"
        );
    }
    Ok(())
}

/// How many local ports Linux gives to outgoing connections.
pub fn local_ports() -> u32 {
    const LINUX_DEFAULT: u32 = 28_232;
    let range =
        std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range
        .split_whitespace()
        .filter_map(|end| end.parse::<u32>().ok());
    match (ends.next(), ends.next()) {
        (Some(first), Some(last)) if last >= first => last - first + 1,
        _ => LINUX_DEFAULT,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn origin(host: &str, address: &str) -> Origin {
        Origin {
            host: host.into(),
            port: 80,
            address: address.parse().unwrap(),
        }
    }

    #[test]
    fn a_foreign_target_needs_its_own_name_in_words() {
        let foreign = origin("tickets.example", "192.0.2.7:80");
        let refusal = check_owned(&foreign, &[]).unwrap_err().to_string();
        assert!(
            refusal.contains("--i-own-this-target tickets.example"),
            "{refusal}"
        );
        assert!(check_owned(&foreign, &["other.example".into()]).is_err());
        assert!(check_owned(&foreign, &["Tickets.example".into()]).is_ok());
        assert!(check_owned(&origin("localhost", "127.0.0.1:80"), &[]).is_ok());
        assert!(check_owned(&origin("::1", "[::1]:80"), &[]).is_ok());
        // A name that only looks local is judged by where it leads.
        assert!(check_owned(&origin("localhost", "192.0.2.7:80"), &[]).is_err());
    }

    #[test]
    fn the_crowd_is_spread_over_as_few_processes_as_hold_it() {
        assert_eq!(processes_for(15_000, 20_000, None).unwrap(), 1);
        assert_eq!(processes_for(40_000, 20_000, None).unwrap(), 3);
        assert_eq!(processes_for(10, 20_000, Some(4)).unwrap(), 4);
        assert!(processes_for(40_000, 20_000, Some(2)).is_err());
        assert!(processes_for(500_000, 20_000, None).is_err());
        assert!(processes_for(1, 256, None).is_err());
    }

    #[test]
    fn ports_are_counted_for_each_edge() {
        assert!(check_ports(15_000, 1, 1, 28_232).is_ok());
        assert!(check_ports(40_000, 1, 3, 28_232).is_err());
        assert!(check_ports(40_000, 2, 3, 28_232).is_ok());
    }
}
