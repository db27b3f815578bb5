//! Runs the points of an experiment, the engines taking turns.

use super::row::{Measured, Run, Work};
use super::{AnyEngine, Contender};

/// A point of an experiment.
pub(super) struct Point {
    work: Work,
    /// The point without long readers, by its place in the list.
    base: Option<usize>,
}

impl From<Work> for Point {
    fn from(work: Work) -> Self {
        Self { work, base: None }
    }
}

impl Point {
    /// A point with long readers, `base` places after the one without.
    pub(super) fn beside(work: Work, base: usize) -> Self {
        Self {
            work,
            base: Some(base),
        }
    }
}

/// Runs all points on all contenders, several times, and returns the results by point.
///
/// A run of each contender at each point is one round, and rounds follow each other: what disturbs the machine for a while disturbs all contenders and
/// falls on one of several rounds. Every other round goes through the contenders backwards. All points of YCSB use the same
/// table, loaded once for each contender; each run of TPC-C has a new database.
pub(super) fn run(
    points: &[Point],
    contenders: &[Contender],
    repeats: usize,
) -> Result<Vec<Measured>, String> {
    let loaded = load(points, contenders)?;
    let mut runs: Vec<Vec<Vec<Run>>> = points
        .iter()
        .map(|_| contenders.iter().map(|_| Vec::new()).collect())
        .collect();
    for round in 0..repeats {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (place, point) in points.iter().enumerate() {
            for &turn in &order {
                let contender = &contenders[turn];
                let run = match &point.work {
                    Work::Ycsb(settings) => {
                        let mut settings = settings.clone();
                        settings.read_only = contender.read_only;
                        loaded[turn].ycsb(&settings, &mut |_| ())?.into()
                    }
                    Work::Tpcc(settings) => contender.database().tpcc(settings)?.into(),
                };
                runs[place][turn].push(run);
            }
        }
    }
    let mut rows = Vec::new();
    for (place, point) in points.iter().enumerate() {
        for (turn, contender) in contenders.iter().enumerate() {
            let base = point.base.map(|back| runs[place - back][turn].as_slice());
            let these = runs[place][turn].clone();
            rows.push(Measured::new(contender, &point.work, these, base));
        }
    }
    Ok(rows)
}

/// A database for each contender, with YCSB's table if it is needed.
fn load(points: &[Point], contenders: &[Contender]) -> Result<Vec<Box<dyn AnyEngine>>, String> {
    let ycsb = points.iter().find_map(|point| match &point.work {
        Work::Ycsb(settings) => Some(settings),
        Work::Tpcc(_) => None,
    });
    let Some(settings) = ycsb else {
        return Ok(Vec::new());
    };
    let databases = contenders.iter().map(|contender| {
        let database = contender.database();
        database.load_ycsb(settings)?;
        Ok(database)
    });
    databases.collect()
}
