//! The socket of the notification protocol: one datagram a message, sent without waiting.

use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixDatagram;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr};

/// Why `NOTIFY_SOCKET` is of no use; one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum BadSocket {
    /// Neither a path nor a name in the abstract namespace.
    #[error("NOTIFY_SOCKET is {0:?}, expected an absolute path or a name that begins with @")]
    Unknown(String),
    /// The system refuses it.
    #[error("NOTIFY_SOCKET cannot be used: {0}")]
    Refused(#[from] io::Error),
}

/// Sends to one address. It is not connected, so a manager that begins to listen anew there is reached again.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: UnixDatagram,
    address: SocketAddrUnix,
}

impl Socket {
    /// To the value of `NOTIFY_SOCKET`.
    pub(crate) fn to(name: &OsStr) -> Result<Self, BadSocket> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name),
            [b'/', ..] => SocketAddrUnix::new(name),
            _ => return Err(BadSocket::Unknown(name.to_string_lossy().into_owned())),
        };
        Ok(Self { socket: UnixDatagram::unbound()?, address: address.map_err(io::Error::from)? })
    }

    /// Sends a message with descriptors, of which the receiver gets copies.
    pub(crate) fn send(&self, message: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::other("too many descriptors"));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // A datagram is sent whole or not at all.
        sendmsg_addr(&self.socket, &self.address, &[IoSlice::new(message.as_bytes())], &mut control, flags)?;
        Ok(())
    }
}
