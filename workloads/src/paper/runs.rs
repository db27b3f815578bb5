//! Runs the points of an experiment, the engines taking turns.

use super::row::{Besides, Measured, Point, Run, Work};
use super::{AnyEngine, Contender, Journal};

/// Runs all points on all contenders, several times, and returns the results by point.
///
/// A run of each contender at each point is one round, and rounds follow each other: what disturbs
/// the machine for a while disturbs all contenders and falls on one of several rounds. Every other
/// round goes through the contenders backwards. All points of YCSB use the same table, loaded once
/// for each contender; each run of TPC-C has a new database.
///
/// The journal has the runs of `name`, which no other call has.
pub(super) fn run(
    name: &str,
    points: &[Point],
    contenders: &[Contender],
    repeats: usize,
    journal: &Journal,
) -> Result<Vec<Measured>, String> {
    let name = |round: usize, place: usize, turn: usize| {
        format!("{name}: round {round}, point {place}, contender {turn}")
    };
    let mut all = (0..repeats).flat_map(|round| {
        let places = (0..points.len()).map(move |place| (round, place));
        places
            .flat_map(|(round, place)| (0..contenders.len()).map(move |turn| (round, place, turn)))
    });
    // Nothing is loaded only to be left alone.
    let databases = if all.all(|(round, place, turn)| journal.has(&name(round, place, turn))) {
        contenders.iter().map(Contender::databases).collect()
    } else {
        load(points, contenders)?
    };
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
                let measure = || {
                    let run: Run = match &point.work {
                        Work::Ycsb(settings) => {
                            let mut settings = settings.clone();
                            settings.read_only = contender.read_only;
                            let report = databases[turn].ycsb(&settings, stand_ins, &mut |_| ());
                            report?.into()
                        }
                        Work::Tpcc(settings) => databases[turn].tpcc(settings, stand_ins)?.into(),
                    };
                    let clock = run.clock.clone();
                    Ok((run, clock))
                };
                // The results have the clock once for all runs.
                let (mut run, clock): (Run, _) =
                    journal.measure(&name(round, place, turn), measure)?;
                run.clock = clock;
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
