//! scratch
use shuttle_tests::explore::programs::sample_locking;
use shuttle_tests::explore::PORTFOLIO;
use shuttle_tests::program::{Program, Shape};
#[test]
fn hunt() {
    let list = std::env::var("BUGS").unwrap();
    for bug in list.split_whitespace() {
        let bug: &'static str = Box::leak(bug.to_owned().into_boxed_str());
        for (shape, make) in [("small", Shape::small(3)), ("keys", Shape { keys: 8, ..Shape::small(3) })] {
            tplock_shuttle::seed_bug(Some(bug));
            let mut found = None;
            let start = std::time::Instant::now();
            'search: for seed in 0..400 {
                let program = Program::random(seed, &make).without_snapshots();
                for choice in PORTFOLIO {
                    let outcome = sample_locking(&program, choice, seed, 20);
                    if let Some(failure) = outcome.failure {
                        found = Some((seed, choice, failure, program.to_string()));
                        break 'search;
                    }
                }
                if start.elapsed().as_secs() > 30 { break }
            }
            println!("{bug} {shape}: {:?}", found.map(|(s, c, f, p)| format!("{s} {c} {} | {p}", f.lines().rev().find(|l| l.contains("rejected")||l.contains("deadlock")||l.contains("exceeded")||l.contains("left")).unwrap_or(&f).chars().take(160).collect::<String>())));
        }
    }
}
