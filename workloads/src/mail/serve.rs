//! A mail server: SMTP puts mail into the mailboxes of a durable store, POP3 takes it out.
//!
//! It is an example of a server over a [`Store`](mvcc::Store), to be used from the machine that it
//! runs on: there is no encryption, and anybody may pick up anybody's mail, or whoever knows the
//! one password. Mail is for local users only; there is no relay, no queue and no bounce.
//!
//! A message that SMTP has answered 250 to survives, in the mailboxes of all its recipients: they
//! get it in one transaction. So does its absence once POP3 has said +OK to the QUIT that deletes
//! it.
//!
//! A session is a thread. The protocols (`smtp`, `pop3`) take lines and know no sockets.

mod boxes;
#[cfg(test)]
mod fake;
mod lines;
mod pop3;
mod protocol;
mod report;
mod session;
mod smtp;

pub use report::Report;

use crate::InputError;
use crate::engine::Engine;
use crate::engine::durable::Durable;
use crate::interruption::interrupted;
use boxes::Stored;
use pop3::Pop3;
use report::Tally;
use smtp::Smtp;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, sleep};
use std::time::{Duration, Instant};

/// What a server is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where mail comes in; port 0 is any.
    pub smtp: SocketAddr,
    /// Where it is picked up; port 0 is any.
    pub pop3: SocketAddr,
    /// What the sessions go by.
    pub rules: Rules,
    /// Users: `user0` and so on.
    pub users: u32,
    /// The most sessions at a time.
    pub connections: usize,
    /// For a command. A message may take ten times as long.
    pub timeout: Duration,
}

/// What the sessions go by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What follows the @ of the users.
    pub domain: String,
    /// The bytes of the largest message.
    pub max_message: usize,
    /// Of all users. `None`: any will do.
    pub password: Option<String>,
}

/// The most bytes that [`Rules::max_message`] may be: a message is one transaction.
pub const LARGEST: usize = 8 << 20;

/// How often it is looked whether somebody has come.
const LOOK: Duration = Duration::from_millis(5);
/// For the sessions to notice that the server ends, before they are cut off.
const GRACE: Duration = Duration::from_secs(2);

/// What the mailboxes of a server are called in its directory: those of another domain are others.
pub fn holds(domain: &str) -> String {
    format!("the mail of a server for {domain}")
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    smtp: TcpListener,
    pop3: TcpListener,
    settings: Settings,
}

impl Server {
    /// Listens, but answers nobody yet.
    ///
    /// # Errors
    /// If an address is in use, or not this machine's.
    pub fn bind(settings: Settings) -> Result<Self, InputError> {
        let listen = |option: &str, address: SocketAddr| {
            let bound = TcpListener::bind(address).and_then(|listener| {
                listener.set_nonblocking(true)?;
                Ok(listener)
            });
            bound.map_err(|error| {
                InputError::new(format!(
                    "{option} {address}: cannot listen: {error}; name another address or port"
                ))
            })
        };
        Ok(Self {
            smtp: listen("--smtp", settings.smtp)?,
            pop3: listen("--pop3", settings.pop3)?,
            settings,
        })
    }

    /// Where it listens: for SMTP, and for POP3.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.smtp.local_addr()?, self.pop3.local_addr()?))
    }

    /// Serves mail from a store, whose tables [`declare`](super::declare) has named, until a signal
    /// comes.
    ///
    /// # Errors
    /// A message if the store is of something else.
    pub fn run(&self, durable: &Durable) -> Result<Report, String> {
        if !durable.is_loaded() {
            durable.loaded();
        }
        let run = Run {
            boxes: Stored::new(durable.store().clone(), self.settings.users)?,
            settings: &self.settings,
            tally: Tally::default(),
            sessions: Mutex::default(),
            next: AtomicU64::default(),
            ends: AtomicBool::default(),
        };
        std::thread::scope(|scope| {
            while interrupted().is_none() {
                let came = [(&self.smtp, Kind::Smtp), (&self.pop3, Kind::Pop3)]
                    .map(|(listener, kind)| run.accept(scope, listener, kind));
                if came == [false; 2] {
                    sleep(LOOK);
                }
            }
            run.end();
        });
        Ok(run.tally.report())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Smtp,
    Pop3,
}

/// What the sessions share.
struct Run<'s> {
    boxes: Stored,
    settings: &'s Settings,
    tally: Tally,
    /// Those that go on.
    sessions: Mutex<HashMap<u64, TcpStream>>,
    /// The number of the next one. Nothing is ordered by it.
    next: AtomicU64,
    /// Set before the sessions' sockets are shut down for reading: a session that notices the
    /// latter sees the former, for the system orders these two.
    ends: AtomicBool,
}

impl Run<'_> {
    fn sessions(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in whoever has come. `false`: nobody, or the system has no room for one more.
    fn accept<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        listener: &TcpListener,
        kind: Kind,
    ) -> bool {
        let Ok((stream, _)) = listener.accept() else {
            return false;
        };
        if self.admit(scope, &stream, kind).is_none() {
            self.tally.turned_away.fetch_add(1, Relaxed);
            let sorry: &[u8] = match kind {
                Kind::Smtp => b"421 4.3.2 too many connections\r\n",
                Kind::Pop3 => b"-ERR [SYS/TEMP] too many connections\r\n",
            };
            // An empty socket takes that at once, and it need not arrive.
            let _ = stream.set_nonblocking(true);
            let _ = (&stream).write_all(sorry);
        }
        true
    }

    /// Begins a session. `None`: there are too many, or no more threads.
    fn admit<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        stream: &TcpStream,
        kind: Kind,
    ) -> Option<()> {
        if self.sessions().len() >= self.settings.connections {
            return None;
        }
        stream.set_nonblocking(false).ok()?;
        let (mine, listed) = (stream.try_clone().ok()?, stream.try_clone().ok()?);
        let number = self.next.fetch_add(1, Relaxed);
        self.sessions().insert(number, listed);
        let listed = Listed { run: self, number };
        let session = move || {
            let listed = listed;
            listed.run.session(&mine, kind);
        };
        Builder::new().spawn_scoped(scope, session).ok().map(drop)
    }

    fn session(&self, stream: &TcpStream, kind: Kind) {
        let Settings { rules, timeout, .. } = self.settings;
        let (boxes, tally) = (&self.boxes, &self.tally);
        // Of a client that is gone there is nothing to be said.
        let _ = match kind {
            Kind::Smtp => {
                tally.smtp.fetch_add(1, Relaxed);
                let mut smtp = Smtp::new(boxes, rules, tally);
                session::run(stream, &mut smtp, *timeout, &self.ends)
            }
            Kind::Pop3 => {
                tally.pop3.fetch_add(1, Relaxed);
                let mut pop3 = Pop3::new(boxes, rules, tally);
                session::run(stream, &mut pop3, *timeout, &self.ends)
            }
        };
    }

    /// Ends all sessions, after what each of them is doing.
    fn end(&self) {
        self.ends.store(true, SeqCst);
        let shut = |how| {
            for stream in self.sessions().values() {
                let _ = stream.shutdown(how);
            }
        };
        shut(Shutdown::Read);
        let deadline = Instant::now() + GRACE;
        while !self.sessions().is_empty() && Instant::now() < deadline {
            sleep(LOOK);
        }
        // Somebody does not take what is written to them.
        shut(Shutdown::Both);
    }
}

/// A session that is listed as long as this lives.
struct Listed<'s> {
    run: &'s Run<'s>,
    number: u64,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.run.sessions().remove(&self.number);
    }
}
