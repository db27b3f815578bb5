use shuttle_tests::explore::{PORTFOLIO, explore};
use shuttle_tests::scenarios::SCENARIOS;
fn main() {
    let runs = std::env::var("SHUTTLE_RUNS").map_or(60, |r| r.parse().unwrap());
    let only = std::env::var("SHUTTLE_ONLY").ok();
    for s in SCENARIOS {
        if only
            .as_ref()
            .is_some_and(|o| !o.split(',').any(|o| o == s.name))
        {
            continue;
        }
        let t0 = std::time::Instant::now();
        for &world in s.worlds {
            for choice in PORTFOLIO {
                let run = s.run;
                let t = std::time::Instant::now();
                let o = explore(choice, 1, runs, move || run(world));
                if let Some(f) = o.failure {
                    let f: String = f.replace('\n', " ").chars().take(110).collect();
                    println!(
                        "{} {world:?} {choice} @{} {}ms: {f}",
                        s.name,
                        o.runs,
                        t.elapsed().as_millis()
                    );
                }
            }
        }
        eprintln!("TIME {} {}", t0.elapsed().as_millis(), s.name);
    }
}
