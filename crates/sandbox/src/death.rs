//! Ties a child's life to ours in the kernel (Linux): whatever ends this process,
//! kill -9 included, the kernel then sends the child its death signal.
//! The one place of this crate that needs `unsafe`: a hook between fork and exec.
#![allow(unsafe_code)]

use std::{os::unix::process::CommandExt, process::Command};

use nix::{
    errno::Errno,
    sys::{prctl, signal::Signal},
    unistd::{getpid, getppid},
};

/// The hook runs after std changed the user, which would have cleared the setting.
/// The kernel watches the *thread* that forks, so only the long-lived spawner may spawn this.
pub(crate) fn tie_to_parent(command: &mut Command, death: Signal) {
    let parent = getpid();
    // SAFETY: the hook makes two system calls (prctl, getppid) and neither allocates,
    // locks nor touches memory shared with other threads: sound between fork and exec.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Some(death))?;
            // The parent may have died before the kernel began to watch it.
            if getppid() != parent {
                return Err(Errno::ESRCH.into());
            }
            Ok(())
        });
    }
}
