//! Engines with their types forgotten, so that they can take turns.
//!
//! Only whole runs are called through this; within a run each engine is compiled into the workload.

use crate::engine::Engine;
use crate::tpcc;
use crate::ycsb::{self, Progress, ReadOnly};
use std::cell::OnceCell;

/// Databases of an [`Engine`], whichever it is.
pub trait AnyEngine {
    /// [`ycsb::load`].
    ///
    /// # Errors
    /// As there.
    fn load_ycsb(&self, settings: &ycsb::Settings) -> Result<(), String>;

    /// [`ycsb::measure`] on what was loaded. With `stand_ins`, the long readers read a copy that
    /// nobody writes.
    ///
    /// # Errors
    /// As there.
    fn ycsb(
        &self,
        settings: &ycsb::Settings,
        stand_ins: bool,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<ycsb::Report, String>;

    /// [`tpcc::run`] on a new database. With `stand_ins`, scans are of a copy that nobody writes.
    ///
    /// # Errors
    /// As there.
    fn tpcc(&self, settings: &tpcc::Settings, stand_ins: bool) -> Result<tpcc::Report, String>;

    /// [`Engine::live_versions`].
    fn live_versions(&self) -> Option<u64>;
}

struct Databases<E, F> {
    make: F,
    ycsb: E,
    /// Made when it is first needed.
    ycsb_copy: OnceCell<E>,
    tpcc_copy: OnceCell<E>,
}

impl<E: Engine, F: Fn() -> E> Databases<E, F> {
    /// A copy that is loaded once.
    fn copy<'c>(
        &self,
        cell: &'c OnceCell<E>,
        load: impl FnOnce(&E) -> Result<(), String>,
    ) -> Result<&'c E, String> {
        if let Some(copy) = cell.get() {
            return Ok(copy);
        }
        let copy = (self.make)();
        load(&copy)?;
        Ok(cell.get_or_init(|| copy))
    }
}

impl<E: Engine, F: Fn() -> E> AnyEngine for Databases<E, F> {
    fn load_ycsb(&self, settings: &ycsb::Settings) -> Result<(), String> {
        ycsb::load(&self.ycsb, settings)
    }

    fn ycsb(
        &self,
        settings: &ycsb::Settings,
        stand_ins: bool,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<ycsb::Report, String> {
        let read = if stand_ins {
            self.copy(&self.ycsb_copy, |copy| ycsb::load(copy, settings))?
        } else {
            &self.ycsb
        };
        ycsb::measure(&self.ycsb, read, settings, observe)
    }

    fn tpcc(&self, settings: &tpcc::Settings, stand_ins: bool) -> Result<tpcc::Report, String> {
        let database = (self.make)();
        let scanned = if stand_ins {
            self.copy(&self.tpcc_copy, |copy| tpcc::load_all(copy, settings))?
        } else {
            &database
        };
        tpcc::load_all(&database, settings)?;
        tpcc::measure(&database, scanned, settings)
    }

    fn live_versions(&self) -> Option<u64> {
        self.ycsb.live_versions()
    }
}

/// One of those that are compared: an engine, and what is special about it here.
pub struct Contender {
    engine: &'static str,
    pub(super) variant: String,
    pub(super) read_only: ReadOnly,
    databases: Box<dyn Fn() -> Box<dyn AnyEngine>>,
}

impl Contender {
    /// An engine, as it is.
    pub fn new<E: Engine>(make: impl Fn() -> E + Clone + 'static) -> Self {
        let databases = move || Databases {
            ycsb: make(),
            make: make.clone(),
            ycsb_copy: OnceCell::new(),
            tpcc_copy: OnceCell::new(),
        };
        Self {
            engine: E::NAME,
            variant: String::new(),
            read_only: ReadOnly::View,
            databases: Box::new(move || Box::new(databases())),
        }
    }

    /// The same, with transactions that only read run in this way.
    pub(super) fn reading(self, read_only: ReadOnly, variant: String) -> Self {
        Self {
            variant,
            read_only,
            ..self
        }
    }

    /// The engine's name.
    pub fn engine(&self) -> &'static str {
        self.engine
    }

    /// Empty databases.
    pub fn databases(&self) -> Box<dyn AnyEngine> {
        (self.databases)()
    }
}
