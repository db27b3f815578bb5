//! Mailboxes in the tables of an engine.

use super::driver::run;
use super::mailboxes::{Mail, Mailboxes};
use super::report::Report;
use super::settings::Settings;
use crate::engine::durable::Durability;
use crate::engine::{Engine, Read, Write};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

pub(super) const MAIL: &str = "mail";
pub(super) const ARRIVALS: &str = "arrivals";

/// The tables. A delivery is one transaction, and so is the deletion of what a pickup has read.
///
/// A pickup may read what is not durable yet, as it may in a Maildir. If a crash takes that, nobody
/// has told its sender that it was delivered, so it is sent again.
struct Tables<'e, E: Engine> {
    engine: &'e E,
    /// By user and arrival.
    mail: E::OrderedTable<(u32, u64), Arc<[u8]>>,
    /// How much has ever arrived, by user.
    arrivals: E::Table<u32, u64>,
}

/// Declares the tables of a durable engine.
pub fn declare(tables: &mut mvcc::Schema) {
    tables.ordered_table::<(u32, u64), Arc<[u8]>>(MAIL);
    tables.table::<u32, u64>(ARRIVALS);
}

/// Runs on an engine. `directory` is the one that it is durable in, if it is; `acknowledges` is
/// whether a commit that has returned survives.
///
/// # Errors
/// A message if the engine fails, or if mail was lost, doubled, torn, or came back.
pub fn run_on_engine<E: Engine>(
    engine: &E,
    settings: &Settings,
    directory: Option<&Path>,
    acknowledges: bool,
) -> Result<Report, String> {
    let tables = Tables {
        engine,
        mail: engine.ordered_table(MAIL)?,
        arrivals: engine.table(ARRIVALS)?,
    };
    run(&tables, settings, directory, acknowledges)
}

impl<E: Engine> Mailboxes for Tables<'_, E> {
    fn name(&self) -> String {
        E::NAME.to_owned()
    }

    fn deletes_whole(&self) -> bool {
        true
    }

    fn deliver(&self, user: u32, message: Arc<[u8]>) -> Result<(), String> {
        let Ok(()) = self.engine.run(|tx| {
            let arrivals = tx.get(&self.arrivals, &user).copied().unwrap_or(0);
            tx.insert(&self.arrivals, user, arrivals + 1);
            tx.insert_ordered(&self.mail, (user, arrivals), message.clone());
            Ok::<_, Infallible>(())
        });
        Ok(())
    }

    fn read(&self, user: u32) -> Result<Vec<Mail>, String> {
        Ok(self.engine.view(|view| {
            let all = view.range(&self.mail, (user, 0)..=(user, u64::MAX));
            all.map(|((_, arrival), message)| Mail {
                arrival: *arrival,
                message: message.clone(),
            })
            .collect()
        }))
    }

    fn delete(&self, user: u32, mail: &[Mail]) -> Result<(), String> {
        let Ok(()) = self.engine.run(|tx| {
            for Mail { arrival, .. } in mail {
                tx.remove_ordered(&self.mail, &(user, *arrival));
            }
            Ok::<_, Infallible>(())
        });
        Ok(())
    }

    fn is_loaded(&self) -> bool {
        self.engine.is_loaded()
    }

    fn loaded(&self) -> Result<(), String> {
        self.engine.loaded();
        Ok(())
    }

    fn begin(&self) {
        self.engine.begin();
    }

    fn end(&self) -> Option<Durability> {
        self.engine.end()
    }
}
