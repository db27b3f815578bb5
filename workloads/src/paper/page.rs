//! The report: a page that refers to nothing outside of itself.

use super::machine::{ClockFacts, Machine};
use super::{Chapter, Figure};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
h1, h2 { line-height: 1.2 }
h2 { margin-top: 2.5em; border-bottom: 2px solid #0072b2 }
p { max-width: 50em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px }
th, td { padding: .15em .6em; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }
dt { font-weight: 600; float: left; clear: left; width: 9em }
dd { margin-left: 9em }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(34em, 100%), 1fr)); gap: 1em }
figure { margin: 0; border: 1px solid #ddd }
svg { width: 100%; height: auto; display: block }
.wide { overflow-x: auto }
summary { cursor: pointer; margin: 1em 0 }
";

/// A page of these chapters.
pub(super) fn page(chapters: &[Chapter], machine: &Machine) -> Result<String, String> {
    let title = match chapters {
        [chapter] => format!("Experiment: {}", chapter.experiment.name()),
        _ => "The experiments of the vMVCC paper".to_owned(),
    };
    let parts: Vec<Markup> = chapters.iter().map(part).collect::<Result<_, _>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                @if chapters.len() > 1 {
                    ul {
                        @for chapter in chapters {
                            @let name = chapter.experiment.name();
                            li { a href={ "#" (name) } { (name) } }
                        }
                    }
                }
                (describe(machine))
                @for part in parts { (part) }
            }
        }
    };
    Ok(page.into_string())
}

fn describe(machine: &Machine) -> Markup {
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    html! {
        h2 { "Machine and clock" }
        dl {
            dt { "processor" } dd { (machine.processor) ", " (machine.cores) " cores" }
            @if let Some(bytes) = machine.memory_bytes {
                dt { "memory" } dd { (format!("{:.1} GiB", gibibytes(bytes))) }
            }
            dt { "system" } dd { (machine.system) }
            dt { "program" } dd { (machine.program) }
            dt { "clock of mvcc" } dd { (machine.clock.kind) ": " (machine.clock.reason) }
            @if let Some(hz) = machine.clock.frequency_hz {
                dt { "frequency" } dd { (format!("{:.1} MHz", hz as f64 / 1e6)) }
            }
            dt { "reading" } dd { (format!("{:.1} ns", machine.clock.reading_ns)) ", back to back on one thread" }
        }
        (audit(&machine.clock))
    }
}

/// How the cores' clocks agree. The closer to zero, the redder.
fn audit(clock: &ClockFacts) -> Markup {
    let entries = || clock.smallest.iter().flatten().flatten().copied();
    let largest = entries().max().unwrap_or(1).max(1) as f64;
    let shade = |ticks: i64| {
        format!(
            "background: rgba(213, 94, 0, {:.2})",
            (1.0 - ticks as f64 / largest).clamp(0.0, 1.0)
        )
    };
    html! {
        @if let Some(reason) = &clock.not_audited {
            p { "How the cores' clocks agree is not known: " (reason) }
        } @else if entries().next().is_some() {
            p {
                "From core to core, the smallest of (receiver's reading - sender's reading) over many hand-overs of a cache line, in ticks. Where all are above zero, \
                 the clock is strictly monotone wherever one thread can know of another."
            }
            div class="wide" {
                table {
                    tr { th { "from \\ to" } @for core in &clock.cores { th { (core) } } }
                    @for (from, row) in clock.cores.iter().zip(&clock.smallest) {
                        tr {
                            th { (from) }
                            @for entry in row {
                                @match entry {
                                    Some(ticks) => td style=(shade(*ticks)) { (ticks) },
                                    None => td { "-" },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn part(chapter: &Chapter) -> Result<Markup, String> {
    let name = chapter.experiment.name();
    let figures: Vec<String> = chapter
        .figures
        .iter()
        .map(Figure::svg)
        .collect::<Result<_, _>>()?;
    let table = chapter.table();
    let parameters = chapter.parameters.as_object();
    Ok(html! {
        h2 id=(name) { (name) }
        @for paragraph in chapter.about { p { (paragraph) } }
        div class="figures" {
            @for figure in figures { figure { (PreEscaped(figure)) } }
        }
        p {
            "Points are medians of the runs, and thin lines go from the slowest to the fastest. Parameters: "
            @for (name, value) in parameters.into_iter().flatten() { code { (name) "=" (value) } " " }
        }
        details {
            summary { "Results, " (table.lines.len()) " lines" }
            p { "In all lines: " @for (name, value) in &table.constant { code { (name) "=" (value) } " " } }
            div class="wide" {
                table {
                    tr { @for name in &table.head { th { (name) } } }
                    @for line in &table.lines { tr { @for cell in line { td { (cell) } } } }
                }
            }
        }
    })
}
