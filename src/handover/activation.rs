//! Listening sockets that a service manager opened and keeps open while this program is started anew, so that
//! connections wait instead of being refused (`sd_listen_fds`,
//! <https://www.freedesktop.org/software/systemd/man/sd_listen_fds.html>).

use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first descriptor that is handed over.
const FIRST: i32 = 3;
/// More are not looked at.
const MOST: i32 = 64;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the sockets that `LISTEN_FDS` and `LISTEN_PID` tell of; the second call gets none. To be called before this
/// process opens anything.
pub fn take(environment: impl Fn(&str) -> Option<String>) -> Vec<TcpListener> {
    let number = |name| environment(name).and_then(|text| text.parse::<i32>().ok());
    let for_us =
        number("LISTEN_PID").is_some_and(|pid| u32::try_from(pid) == Ok(std::process::id()));
    let count = number("LISTEN_FDS").unwrap_or(0).clamp(0, MOST);
    if !for_us || TAKEN.swap(true, Ordering::SeqCst) {
        return Vec::new();
    }
    (FIRST..FIRST + count).filter_map(listener).collect()
}

/// What is not a listening TCP socket is closed.
#[allow(unsafe_code)]
fn listener(descriptor: i32) -> Option<TcpListener> {
    // SAFETY: the manager opened these descriptors for this process, which `LISTEN_PID` names; `take` gives them out once.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC).ok()?;
    let listens = rustix::net::sockopt::socket_acceptconn(&descriptor).unwrap_or(false);
    let listener = TcpListener::from(descriptor);
    (listens && listener.local_addr().is_ok()).then_some(listener)
}
