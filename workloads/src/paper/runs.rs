//! Runs the points of an experiment, the engines taking turns.

use super::row::{Besides, Measured, Run, Work};
use super::{AnyEngine, Contender};

/// A point of an experiment.
pub(super) struct Point {
    pub(super) work: Work,
    pub(super) besides: Besides,
}

impl From<Work> for Point {
    fn from(work: Work) -> Self {
        Self {
            work,
            besides: Besides::Nothing,
        }
    }
}

impl Point {
    /// The same beside stand-ins for its long readers, and then beside the readers.
    pub(super) fn beside(work: &Work) -> [Self; 2] {
        [Besides::StandIns, Besides::Readers].map(|besides| Self {
            work: work.clone(),
            besides,
        })
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
    let databases = load(points, contenders)?;
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
                let stand_ins = point.besides == Besides::StandIns;
                let run = match &point.work {
                    Work::Ycsb(settings) => {
                        let mut settings = settings.clone();
                        settings.read_only = contender.read_only;
                        let report = databases[turn].ycsb(&settings, stand_ins, &mut |_| ());
                        report?.into()
                    }
                    Work::Tpcc(settings) => databases[turn].tpcc(settings, stand_ins)?.into(),
                };
                runs[place][turn].push(run);
            }
        }
    }
    let mut rows = Vec::new();
    for (place, point) in points.iter().enumerate() {
        for (turn, contender) in contenders.iter().enumerate() {
            let base = (point.besides == Besides::Readers).then(|| &*runs[place - 1][turn]);
            let these = runs[place][turn].clone();
            rows.push(Measured::new(contender, point, these, base));
        }
    }
    Ok(rows)
}

/// Databases for each contender, with YCSB's table if it is needed.
fn load(points: &[Point], contenders: &[Contender]) -> Result<Vec<Box<dyn AnyEngine>>, String> {
    let ycsb = points.iter().find_map(|point| match &point.work {
        Work::Ycsb(settings) => Some(settings),
        Work::Tpcc(_) => None,
    });
    let databases = contenders.iter().map(|contender| {
        let databases = contender.databases();
        ycsb.map_or(Ok(()), |settings| databases.load_ycsb(settings))?;
        Ok(databases)
    });
    databases.collect()
}
