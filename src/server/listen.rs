//! Listening sockets: one a thread, all on one port, so that the kernel spreads connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// Connections that wait to be accepted, per thread.
const BACKLOG: i32 = 1024;
/// When a silent connection is asked whether its other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Bytes that the kernel takes for a client before they can be sent. A client that takes nothing costs this much and not
/// the megabytes that a buffer grows to; who takes what comes never sees the end of it.
const UNSENT: u32 = 128 * 1024;

/// Takes those of `pool` that listen on this address. All of them are to be used: a socket that nobody accepts from would
/// keep its share of the connections waiting.
///
/// # Errors
///
/// A socket cannot be used.
pub fn inherit(pool: &mut Vec<TcpListener>, address: SocketAddr) -> io::Result<Vec<TcpListener>> {
    let is_ours = |listener: &TcpListener| {
        listener.local_addr().is_ok_and(|local| {
            local.ip() == address.ip() && (address.port() == 0 || local.port() == address.port())
        })
    };
    let ours: Vec<_> = pool.extract_if(.., |listener| is_ours(listener)).collect();
    for listener in &ours {
        let socket = SockRef::from(listener);
        prepare(&socket)?;
    }
    Ok(ours)
}

/// What accepted sockets inherit, and that nobody waits in an accept.
fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    socket.set_tcp_notsent_lowat(UNSENT)
}

/// At least `count` listeners out of fewer: several threads may accept from one.
///
/// # Errors
///
/// There are no descriptors left.
pub fn share(mut listeners: Vec<TcpListener>, count: usize) -> io::Result<Vec<TcpListener>> {
    let opened = listeners.len();
    for number in opened..count {
        let shared = listeners[number % opened].try_clone()?;
        listeners.push(shared);
    }
    Ok(listeners)
}

/// Opens `count` listeners on one address. With port 0 the first chooses the port.
///
/// # Errors
///
/// The address is in use or may not be used; the message says what to change, by the name of the setting.
pub fn listen(address: SocketAddr, count: usize, setting: &str) -> io::Result<Vec<TcpListener>> {
    open(address, count).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need CAP_NET_BIND_SERVICE or root".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            _ => error.to_string(),
        };
        io::Error::new(
            error.kind(),
            format!("cannot listen on {address}: {reason} ({setting} sets the address)"),
        )
    })
}

fn open(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        // Sockets that share a port would let a second program of the same user in. One that
        // does not share shows whether somebody is there.
        socket(address)?.bind(&address.into())?;
    }
    let mut address = address;
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        prepare(&socket)?;
        let listener = TcpListener::from(socket);
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}
