//! `workloads mail serve`.

use crate::cli::input::{duration, within};
use crate::cli::{Clock, Failure, end_at_once};
use clap::Args;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use workloads::engine::durable::{Durable, Sync, Unusable};
use workloads::mail::serve::{LARGEST, Rules, Server, Settings, holds};
use workloads::{InputError, mail, output};

const CONNECTIONS: RangeInclusive<usize> = 1..=1000;
const MESSAGE: RangeInclusive<usize> = 1000..=LARGEST;

/// Serves mail from a durable store: SMTP to deliver it, POP3 to pick it up.
///
/// An example, for this machine only: nothing is encrypted, and there are no real passwords. The
/// users are user0@DOMAIN, user1@DOMAIN and so on. What SMTP answers 250 to survives, and so does
/// what POP3 deletes with QUIT. A signal ends it.
#[derive(Args)]
pub(super) struct Serve {
    /// Where mail is kept. It is created, or gone on with.
    directory: PathBuf,
    /// The address for SMTP; port 0 takes any.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2525")]
    smtp: SocketAddr,
    /// The address for POP3; port 0 takes any.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2110")]
    pop3: SocketAddr,
    /// Allows addresses that other machines can reach.
    #[arg(long)]
    exposed: bool,
    /// What follows the @ of the users.
    #[arg(long, default_value = "example.test")]
    domain: String,
    /// Users.
    #[arg(long, default_value_t = 100)]
    users: u32,
    /// The one password of all users. Without it any will do.
    #[arg(long)]
    password: Option<String>,
    /// The largest message.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_message: usize,
    /// The most connections at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds that a client may take for a command; for a message, ten times that.
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    timeout: String,
}

impl Serve {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let settings = self.settings()?;
        let wanted = holds(&settings.rules.domain);
        // Before the store is made or locked.
        let server = Server::bind(settings)?;
        let opened = Durable::open(
            &self.directory,
            Sync::Wait,
            Clock::Auto.choice(),
            wanted,
            mail::declare,
            end_at_once,
        );
        let durable = opened.map_err(|unusable| match unusable {
            Unusable::Input(error) => Failure::Input(error),
            Unusable::Failed(error) => Failure::Run(error),
        })?;
        let (smtp, pop3) = server.addresses()?;
        output::print(format_args!("smtp {smtp}\npop3 {pop3}"))?;
        let served = server.run(&durable).map_err(Failure::Run);
        let closed = durable.close().map_err(Failure::Run);
        output::print(served?)?;
        closed
    }

    fn settings(&self) -> Result<Settings, InputError> {
        for (option, address) in [("--smtp", self.smtp), ("--pop3", self.pop3)] {
            if !self.exposed && !address.ip().is_loopback() {
                return Err(InputError::new(format!(
                    "{option} {address} can be reached from other machines, and anybody could read all mail; name an address of 127.0.0.0/8 or [::1], or add --exposed"
                )));
            }
        }
        Ok(Settings {
            smtp: self.smtp,
            pop3: self.pop3,
            rules: Rules {
                domain: domain(&self.domain)?,
                max_message: within("--max-message", self.max_message, &MESSAGE)?,
                password: self.password.clone(),
            },
            users: within("--users", self.users, &super::USERS)?,
            connections: within("--connections", self.connections, &CONNECTIONS)?,
            timeout: duration("--timeout", &self.timeout)?,
        })
    }
}

fn domain(domain: &str) -> Result<String, InputError> {
    let is_label = |label: &str| {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.len() < 64 && label.bytes().all(is_good)
    };
    if domain.len() < 254 && domain.split('.').all(is_label) {
        return Ok(domain.to_ascii_lowercase());
    }
    Err(InputError::new(format!(
        "--domain {domain}: expected letters, digits, hyphens and dots, as in example.test"
    )))
}
