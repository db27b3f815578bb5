//! A protocol on a socket.

use super::lines::Lines;
use super::protocol::Protocol;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// What is sent in several lines may take so many times as long as a command.
const PATIENCE: u32 = 10;
/// After the last answer, until the client has gone.
const FAREWELL: Duration = Duration::from_secs(1);

/// Runs a session until the client ends it, takes longer than `timeout` for a line, or the server
/// ends, which shuts reading down after it has set `ends`.
///
/// # Errors
/// If the client cannot be heard or told any more.
pub(super) fn run(
    mut stream: &TcpStream,
    protocol: &mut impl Protocol,
    timeout: Duration,
    ends: &AtomicBool,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(timeout))?;
    stream.write_all(protocol.greeting().as_bytes())?;
    let mut lines = Lines::new();
    let mut buffer = [0; 8192];
    let mut answer = Vec::new();
    let mut deadline = Instant::now() + timeout;
    loop {
        let Some(count) = read(stream, &mut buffer, deadline)? else {
            stream.write_all(protocol.late().as_bytes())?;
            return part(stream);
        };
        let mut bytes = &buffer[..count];
        while let Some(line) = lines.next(&mut bytes, protocol.longest()) {
            let was_within = protocol.is_within();
            let goes_on = protocol.take(line, &mut answer);
            // What is written here is an acknowledgement of what is durable already.
            stream.write_all(&answer)?;
            answer = Vec::new();
            if !goes_on {
                return part(stream);
            }
            match (was_within, protocol.is_within()) {
                (true, true) => {}
                (false, true) => deadline = Instant::now() + timeout * PATIENCE,
                (_, false) => deadline = Instant::now() + timeout,
            }
        }
        if ends.load(SeqCst) {
            stream.write_all(protocol.ends().as_bytes())?;
            return Ok(());
        }
        if count == 0 {
            return Ok(());
        }
    }
}

/// Reads what there is, 0 bytes at the end. `None`: nothing has come before the deadline.
fn read(mut stream: &TcpStream, buffer: &mut [u8], deadline: Instant) -> io::Result<Option<usize>> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(buffer) {
            Ok(count) => return Ok(Some(count)),
            // The deadline has passed, or a signal came.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Closes for writing, and waits for the client to close: a socket that is dropped with something
/// unread in it is reset, and the last answer may be lost with that.
fn part(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let deadline = Instant::now() + FAREWELL;
    let mut buffer = [0; 8192];
    while read(stream, &mut buffer, deadline)?.is_some_and(|count| count > 0) {}
    Ok(())
}
