//! Three programs, each written once, on three engines: in memory, durable, and one that stands for
//! an engine behind a network, where every read, and each commit's request and reply, may get lost.

#![cfg(feature = "durable")]

#[path = "engines/programs.rs"]
mod programs;
#[path = "engines/remote.rs"]
mod remote;

use mvcc::engine::{Declare, Engine, Failed, Failure, Outcome, Read};
use mvcc::{Database, Store, StoreError};
use programs::{Bank, Mail, Order, Orders, Refused};
use remote::{Lost, Remote};
use std::fmt::Debug;

/// All that the programs have stored.
#[derive(Debug, PartialEq)]
struct State {
    balances: Vec<i64>,
    mail: Vec<Vec<u8>>,
    next: u64,
    lines: Vec<(u64, u32)>,
    stock: Vec<i64>,
}

struct Programs<X: Engine> {
    bank: Bank<X>,
    mail: Mail<X>,
    orders: Orders<X>,
}

impl<X: Engine> Programs<X> {
    fn declare<D: Declare<X>>(tables: &mut D) -> Result<Self, D::Error> {
        Ok(Self {
            bank: Bank::declare(tables)?,
            mail: Mail::declare(tables)?,
            orders: Orders::declare(tables)?,
        })
    }

    fn load(&self, engine: &X) -> Result<(), X::Error> {
        self.bank.load(engine)?;
        self.orders.load(engine)
    }

    /// One of everything. Ends with the first error of the engine.
    fn run(&self, engine: &X) -> Result<(), X::Error> {
        let engines = |failed| match failed {
            Failed::Engine(error) => error,
            Failed::Closure(Refused) => panic!("nothing is wrong with it"),
        };
        self.bank.transfer(engine, 0, 1, 30).map_err(engines)?;
        match self.bank.transfer(engine, 0, 1, 80) {
            Err(Failed::Closure(Refused)) => {}
            Err(Failed::Engine(error)) => return Err(error),
            Ok(()) => panic!("70 are not enough"),
        }
        self.mail.deliver(engine, 7, b"one")?;
        self.mail.deliver(engine, 7, b"two")?;
        assert_eq!(self.mail.pickup(engine, 7)?, [b"one", b"two"]);
        self.mail.deliver(engine, 7, b"three")?;
        let order = Order(vec![(0, 3), (2, 1)]);
        self.orders.place(engine, &order).map_err(engines)?;
        match self.orders.place(engine, &Order(vec![(1, 1), (99, 1)])) {
            Err(Failed::Closure(Refused)) => {}
            Err(Failed::Engine(error)) => return Err(error),
            Ok(_) => panic!("there is no such item"),
        }
        Ok(())
    }

    fn state(&self, engine: &X) -> Result<State, X::Error> {
        let snapshot = engine.snapshot()?;
        Ok(State {
            balances: self.bank.balances(&snapshot)?,
            mail: self.mail.all(&snapshot)?,
            next: self.orders.next(&snapshot)?,
            lines: self.orders.lines(&snapshot)?,
            stock: self.orders.stock(&snapshot)?,
        })
    }
}

fn at_the_end() -> State {
    State {
        balances: vec![70, 130, 100],
        mail: vec![b"three".to_vec()],
        next: 1,
        lines: vec![(0, 3), (0, 1)],
        stock: vec![7, 10, 9],
    }
}

fn all_goes_well<X: Engine>(engine: &X, programs: &Programs<X>)
where
    X::Error: Debug,
{
    programs.load(engine).unwrap();
    programs.run(engine).unwrap();
    assert_eq!(programs.state(engine).unwrap(), at_the_end());
    let backwards: Result<Vec<i64>, X::Error> = engine.view(|view| programs.bank.backwards(view));
    assert_eq!(backwards.unwrap(), [100, 130, 70]);
}

#[test]
fn the_programs_run_in_memory() {
    let mut db = Database::new();
    let programs = Programs::declare(&mut db).unwrap();
    all_goes_well(&db, &programs);
}

#[test]
fn the_programs_run_on_a_store_and_survive() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Store::open(directory.path(), Programs::declare);
    let (store, Ok(programs)) = open().unwrap();
    all_goes_well::<Store>(&store, &programs);
    drop((store, programs));
    let (store, Ok(programs)) = open().unwrap();
    assert_eq!(programs.state(&store).unwrap(), at_the_end());
}

#[test]
fn the_programs_run_on_an_engine_behind_a_network() {
    let mut engine = Remote::new();
    let programs = Programs::declare(&mut engine).unwrap();
    all_goes_well(&engine, &programs);
}

/// Whichever message gets lost: what the error says, or what is said later, is what has happened.
#[test]
fn each_outcome_is_true_whichever_message_is_lost() {
    let mut outcomes = [0; 2];
    for lost in 0.. {
        let mut engine = Remote::new();
        let programs = Programs::declare(&mut engine).unwrap();
        programs.load(&engine).unwrap();
        let mut before = programs.state(&engine).unwrap();
        engine.net.lose(lost);
        let transfer = |amount| programs.bank.transfer(&engine, 0, 1, amount);
        let Err(failed) = transfer(30) else {
            assert!(lost > 3, "two reads, a request and a reply");
            break;
        };
        let Failed::Engine(error) = failed else {
            panic!("the balance is enough")
        };
        engine.net.lose(usize::MAX);
        let outcome = match error.outcome() {
            Outcome::Unknown => engine.resolve(&error).unwrap(),
            outcome => outcome,
        };
        assert_ne!(outcome, Outcome::Unknown);
        if outcome == Outcome::Committed {
            before.balances = vec![70, 130, 100];
        }
        outcomes[usize::from(outcome == Outcome::Committed)] += 1;
        assert_eq!(programs.state(&engine).unwrap(), before, "{lost}: {error}");
    }
    assert_eq!(outcomes, [3, 1]);
}

/// Nothing is there in part, and no closure goes on to commit after a read that has failed.
#[test]
fn whichever_message_is_lost_the_programs_end_with_an_error_or_well() {
    let mut ends = 0;
    for lost in 0.. {
        let mut engine = Remote::new();
        let programs = Programs::declare(&mut engine).unwrap();
        programs.load(&engine).unwrap();
        engine.net.lose(lost);
        let ended = programs.run(&engine);
        engine.net.lose(usize::MAX);
        let State {
            balances,
            mail,
            next,
            lines,
            stock,
        } = programs.state(&engine).unwrap();
        assert_eq!(balances.iter().sum::<i64>(), 300);
        assert!(mail.len() <= 2);
        assert_eq!(lines.len() as u64, 2 * next);
        assert_eq!(stock.iter().sum::<i64>(), 30 - 4 * next.cast_signed());
        if ended.is_ok() {
            break;
        }
        ends += 1;
    }
    assert!(ends > 20, "{ends}");
}

#[test]
fn a_swallowed_error_does_not_commit() {
    let mut engine = Remote::new();
    let programs = Programs::declare(&mut engine).unwrap();
    programs.load(&engine).unwrap();
    engine.net.lose(0);
    let ended: Result<(), Lost> = engine.run(|tx| {
        let balances = &programs.bank.balances;
        let found = tx.get(balances, &0).ok().flatten();
        mvcc::engine::Write::insert(tx, balances, 0, found.map_or(0, |balance| *balance));
        Ok(())
    });
    assert_eq!(ended, Err(Lost::Read));
    engine.net.lose(usize::MAX);
    assert_eq!(programs.state(&engine).unwrap().balances, [100, 100, 100]);
}

#[test]
fn errors_say_what_has_become_of_it() {
    let outcomes = [
        (StoreError::Stopped, Outcome::Aborted),
        (StoreError::Full, Outcome::Aborted),
        (
            StoreError::TooLarge { bytes: 2, limit: 1 },
            Outcome::Aborted,
        ),
        (StoreError::Unknown, Outcome::Unknown),
    ];
    for (error, outcome) in outcomes {
        assert_eq!(error.outcome(), outcome);
        assert_eq!(
            Failed::<Refused, _>::from(error).to_string(),
            error.to_string()
        );
    }
}

/// The generic methods, not the store's own, which are found first.
#[test]
fn a_store_that_is_closed_says_that_nothing_happened() {
    let directory = tempfile::tempdir().unwrap();
    let opened = Store::open(directory.path(), Bank::<Store>::declare);
    let (store, Ok(bank)) = opened.unwrap();
    bank.load(&store).unwrap();
    store.clone().close().unwrap();
    let refused = bank.transfer(&store, 0, 1, 30);
    assert_eq!(refused, Err(Failed::Engine(StoreError::Stopped)));
}
