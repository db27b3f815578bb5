//! Programs and their execution.

use shuttle_tests::engine::native::Engine;
use shuttle_tests::enumerate::{points, ranges};
use shuttle_tests::execute::{
    Begun, Lost, Reads, StdThreads, Subject, Writes, execute, execute_all,
};
use shuttle_tests::history::{History, Kind, Outcome};
use shuttle_tests::operation::{Key, POINTS};
use shuttle_tests::program::{Body, Ending, Program, Range, Shape, Step};
use shuttle_tests::recorder::Recorder;
use shuttle_tests::report::Report;
use shuttle_tests::verdict::{Anomaly, Verdict};
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

fn run(programs: &[Program]) -> Vec<History> {
    let engines: Vec<_> = programs
        .iter()
        .map(|_| Engine::new().expect("a new database"))
        .collect();
    let runs = programs.iter().zip(&engines);
    let runs: Vec<_> = runs
        .map(|(program, engine)| (program, engine as &dyn Subject))
        .collect();
    execute_all(&runs, &StdThreads).expect("a few threads")
}

#[test]
fn a_seed_makes_one_program_and_seeds_make_many() {
    let shape = Shape::small(2);
    let program = |seed| Program::random(seed, &shape);
    let distinct: HashSet<_> = (0..1000)
        .map(|seed| {
            assert_eq!(program(seed), program(seed));
            let Program {
                initial, threads, ..
            } = program(seed);
            (initial, threads)
        })
        .collect();
    assert!(distinct.len() > 990, "{}", distinct.len());
}

#[test]
fn random_programs_have_their_shape_and_all_kinds_of_steps() {
    let shape = Shape::small(3);
    let mut steps = HashSet::new();
    for program in (0..1000).map(|seed| Program::random(seed, &shape)) {
        let bodies: Vec<_> = program.threads.iter().flatten().collect();
        assert!((2..=4).contains(&bodies.len()) && (2..=3).contains(&program.threads.len()));
        for body in bodies {
            assert!((1..=4).contains(&body.steps.len()));
            assert!(!body.kind.is_read_only() || !body.steps.iter().any(|step| step.writes()));
            let what = body.steps.iter().map(|step| match step {
                Step::Get(key) => ("get", key.table),
                Step::Insert(key) => ("insert", key.table),
                Step::Remove(key) => ("remove", key.table),
                Step::Update(key) => ("update", key.table),
                Step::Append(key) => ("append", key.table),
                Step::Scan(Range {
                    table,
                    limit: Some(_),
                    reverse: true,
                    ..
                }) => ("limited reverse scan", *table),
                Step::Scan(Range {
                    table,
                    limit: None,
                    reverse: true,
                    ..
                }) => ("reverse scan", *table),
                Step::Scan(Range {
                    table,
                    limit: Some(_),
                    ..
                }) => ("limited scan", *table),
                Step::Scan(Range { table, .. }) => ("scan", *table),
            });
            steps.extend(what.map(|step| (body.kind, step)));
        }
    }
    // Five ways to read and, in two of the four kinds, three to write; on two tables.
    assert_eq!(steps.len(), 4 * 5 * 2 + 2 * 3 * 2);
}

#[test]
fn a_program_prints_on_one_line() {
    let program = Program::random(13, &Shape::small(2));
    let text = program.to_string();
    assert!(
        text.starts_with("#13 ") && text.contains(" | ") && !text.contains('\n'),
        "{text}"
    );
    let body = |kind, steps: &[Step], ending, outlives| Body {
        kind,
        steps: steps.to_vec(),
        ending,
        outlives,
    };
    let program = Program {
        seed: 7,
        initial: vec![Key::point(0), Key::ordered(2)],
        threads: vec![
            vec![
                body(
                    Kind::Begin,
                    &[Step::Get(Key::point(0)), Step::Remove(Key::ordered(1))],
                    Ending::GivesUp,
                    0,
                ),
                body(
                    Kind::Snapshot,
                    &[Step::Scan(Range::all(POINTS))],
                    Ending::Commits,
                    2,
                ),
            ],
            vec![body(
                Kind::Run,
                &[Step::Update(Key::point(0))],
                Ending::Panics,
                0,
            )],
        ],
        attempts: 1,
    };
    assert_eq!(
        program.to_string(),
        "#7 p0 o2 | begin(get p0, del o1)! snapshot(scan p[..]) for 2 | run(upd p0)!!"
    );
}

/// Some of the small programs, once, on real threads.
#[test]
fn small_programs_are_serializable() {
    let all: Vec<_> = points().chain(ranges()).step_by(10).collect();
    for (program, history) in all.iter().zip(run(&all)) {
        let report = Report::of(&history);
        assert!(
            report.exact.is_accepted() && report.blackbox.is_accepted(),
            "{program}\n{history}{report}"
        );
    }
}

#[test]
fn random_programs_are_serializable() {
    for threads in [2, 4] {
        let shapes = [(Shape::small(threads), 1000), (Shape::long(threads), 10)];
        for (shape, count) in shapes {
            let programs: Vec<_> = (0..count)
                .map(|seed| Program::random(seed, &shape))
                .collect();
            for (program, history) in programs.iter().zip(run(&programs)) {
                let report = Report::of(&history);
                assert!(!report.is_rejected(), "{program}\n{history}{report}");
            }
        }
    }
}

/// A database that only has the newest values, and commits without asking: every anomaly happens,
/// once threads meet.
#[derive(Default)]
struct Careless {
    rows: Mutex<BTreeMap<Key, u64>>,
    commits: Mutex<u64>,
}

struct CarelessTransaction<'c>(&'c Careless);

impl Reads for CarelessTransaction<'_> {
    fn get(&self, key: Key) -> Option<u64> {
        self.0.rows.lock().expect("no panics").get(&key).copied()
    }

    fn list(&self, _: Key) -> Vec<u64> {
        Vec::new()
    }

    fn scan(&self, range: &Range) -> Vec<(u32, u64)> {
        let rows = self.0.rows.lock().expect("no panics");
        let rows = rows.iter().map(|(key, value)| (key.table, key.key, *value));
        rows.filter(|row| row.0 == range.table)
            .map(|row| (row.1, row.2))
            .collect()
    }
}

impl Writes for CarelessTransaction<'_> {
    fn insert(&self, key: Key, value: u64) {
        self.0.rows.lock().expect("no panics").insert(key, value);
    }

    fn remove(&self, key: Key) {
        self.0.rows.lock().expect("no panics").remove(&key);
    }

    fn update(&self, key: Key, value: u64) -> Option<u64> {
        let old = self.get(key)?;
        self.insert(key, value);
        Some(old)
    }

    fn append(&self, _: Key, _: u64) {}
}

impl Begun for CarelessTransaction<'_> {
    fn commit(self: Box<Self>) -> Result<Option<u64>, Lost> {
        let mut commits = self.0.commits.lock().expect("no panics");
        *commits += 1;
        Ok(Some(*commits))
    }
}

impl Subject for Careless {
    fn begin(&self) -> Box<dyn Begun + '_> {
        Box::new(CarelessTransaction(self))
    }

    fn run(&self, body: &mut dyn FnMut(&dyn Writes) -> bool) {
        body(&CarelessTransaction(self));
    }

    fn view(&self, body: &mut dyn FnMut(&dyn Reads)) {
        body(&CarelessTransaction(self));
    }

    fn snapshot(&self) -> (Box<dyn Reads + '_>, Option<u64>) {
        (Box::new(CarelessTransaction(self)), None)
    }
}

/// Programs, pauses and checkers find what there is to find.
#[test]
fn a_careless_engine_is_caught() {
    let mut caught = HashSet::new();
    // Each with its abort and its interleaving; far more than it takes.
    for program in (0..3000).map(|seed| Program::random(seed, &Shape::small(2))) {
        let history = execute(&program, &Careless::default(), &StdThreads);
        let history = history.expect("a few threads");
        let report = Report::of(&history);
        assert!(!report.is_contradictory(), "{program}\n{history}{report}");
        caught.extend(
            report
                .blackbox
                .violation()
                .map(|violation| violation.anomaly),
        );
    }
    // One that gives up has written nevertheless: that takes no interleaving.
    assert!(caught.contains(&Anomaly::AbortedRead), "{caught:?}");
    assert!(caught.len() >= 2, "{caught:?}");
}

#[test]
fn a_recording_keeps_order_outcome_and_cut_off_transactions() {
    let recorder = Recorder::new();
    let handle = recorder.handle(0);
    let mut outer = handle.begin(Kind::Begin);
    let mut inner = handle.begin(Kind::Run);
    inner.write(Key::point(0), 1);
    inner.end(Outcome::Committed, Some(5));
    outer.read(Key::point(0), Some(1));
    drop(outer);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            recorder
                .handle(1)
                .begin(Kind::View)
                .end(Outcome::Committed, None);
        });
    });
    drop(handle);
    let history = recorder.finish();
    let expected = "\
T0 begin on thread 0, 0 to 3, outcome unknown: read p0 = 1
T1 run on thread 0, 1 to 2, committed at 5: write p0 := 1
T2 view on thread 1, 4 to 5, committed
";
    assert_eq!(history.to_string(), expected);
    let json = serde_json::to_string(&history).expect("numbers and strings");
    assert_eq!(
        serde_json::from_str::<History>(&json).expect("just written"),
        history
    );
}

#[test]
fn histories_of_all_programs_survive_json() {
    let programs: Vec<_> = (0..50)
        .map(|seed| Program::random(seed, &Shape::small(2)))
        .collect();
    let long: Vec<_> = (0..2)
        .map(|seed| Program::random(seed, &Shape::long(2)))
        .collect();
    for history in run(&programs).into_iter().chain(run(&long)) {
        let json = serde_json::to_string(&history).expect("numbers and strings");
        let again: History = serde_json::from_str(&json).expect("just written");
        assert_eq!(again, history);
        let same = |one: Verdict, other: Verdict| one == other;
        assert!(same(Report::of(&again).exact, Report::of(&history).exact));
    }
}
