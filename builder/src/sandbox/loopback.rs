//! Brings up the loopback interface of a fresh network namespace, in which it is down.

use std::io;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// `RTM_NEWLINK` of rtnetlink(7).
const NEW_LINK: u16 = 16;
/// `NLM_F_REQUEST | NLM_F_ACK` of netlink(7).
const REQUEST_ACK: u16 = 0x1 | 0x4;
/// `IFF_UP` of netdevice(7).
const UP: u32 = 0x1;
/// The index of the loopback interface in every network namespace.
const LOOPBACK: i32 = 1;

/// Brings it up. Needs `CAP_NET_ADMIN` over the namespace.
pub(super) fn bring_up() -> io::Result<()> {
    // `None` is NETLINK_ROUTE, whose number is 0.
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // A netlink socket without a peer sends to the kernel.
    send(&socket, &request(), SendFlags::empty())?;
    let mut answer = [0u8; 1024];
    let (_, length) = recv(&socket, &mut answer, RecvFlags::empty())?;
    // nlmsgerr: a header of 16 bytes, then the negated errno, 0 for success.
    let code = answer
        .get(..length)
        .and_then(|answer| answer.get(16..20))
        .and_then(|code| code.try_into().ok())
        .map(i32::from_ne_bytes)
        .ok_or_else(|| io::Error::other("the kernel's netlink answer is too short"))?;
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}

/// An `nlmsghdr` followed by an `ifinfomsg`, both in the machine's byte order.
fn request() -> [u8; 32] {
    let mut message = [0u8; 32];
    message[0..4].copy_from_slice(&32u32.to_ne_bytes());
    message[4..6].copy_from_slice(&NEW_LINK.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_ACK.to_ne_bytes());
    message[8..12].copy_from_slice(&1u32.to_ne_bytes()); // sequence number
    // 16: family, 17: padding, 18..20: type, all unspecified.
    message[20..24].copy_from_slice(&LOOPBACK.to_ne_bytes());
    message[24..28].copy_from_slice(&UP.to_ne_bytes());
    message[28..32].copy_from_slice(&UP.to_ne_bytes()); // the flags to change
    message
}
