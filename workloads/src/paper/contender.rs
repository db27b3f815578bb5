//! Engines with their types forgotten, so that they can take turns.
//!
//! Only whole runs are called through this; within a run each engine is compiled into the workload.

use crate::engine::Engine;
use crate::tpcc;
use crate::ycsb::{self, Progress, ReadOnly};

/// An [`Engine`], whichever it is.
pub trait AnyEngine {
    /// [`ycsb::load`].
    ///
    /// # Errors
    /// As there.
    fn load_ycsb(&self, settings: &ycsb::Settings) -> Result<(), String>;
    /// [`ycsb::measure`].
    ///
    /// # Errors
    /// As there.
    fn ycsb(
        &self,
        settings: &ycsb::Settings,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<ycsb::Report, String>;
    /// [`tpcc::run`].
    ///
    /// # Errors
    /// As there.
    fn tpcc(&self, settings: &tpcc::Settings) -> Result<tpcc::Report, String>;
    /// [`Engine::live_versions`].
    fn live_versions(&self) -> Option<u64>;
}

impl<E: Engine> AnyEngine for E {
    fn load_ycsb(&self, settings: &ycsb::Settings) -> Result<(), String> {
        ycsb::load(self, settings)
    }

    fn ycsb(
        &self,
        settings: &ycsb::Settings,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<ycsb::Report, String> {
        ycsb::measure(self, settings, observe)
    }

    fn tpcc(&self, settings: &tpcc::Settings) -> Result<tpcc::Report, String> {
        tpcc::run(self, settings)
    }

    fn live_versions(&self) -> Option<u64> {
        Engine::live_versions(self)
    }
}

/// One of those that are compared: an engine, and what is special about it here.
pub struct Contender {
    engine: &'static str,
    pub(super) variant: String,
    pub(super) read_only: ReadOnly,
    make: Box<dyn Fn() -> Box<dyn AnyEngine>>,
}

impl Contender {
    /// An engine, as it is.
    pub fn new<E: Engine>(make: impl Fn() -> E + 'static) -> Self {
        Self {
            engine: E::NAME,
            variant: String::new(),
            read_only: ReadOnly::View,
            make: Box::new(move || Box::new(make())),
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

    /// An empty database.
    pub fn database(&self) -> Box<dyn AnyEngine> {
        (self.make)()
    }
}
