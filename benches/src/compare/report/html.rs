//! The page: tables, and a chart for each row. It refers to nothing outside of itself.

use super::text::{SEVERAL, Table};
use super::{Report, Title, counted};
use std::fmt::Write;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
h1, h2, h3 { line-height: 1.2 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2em .7em; border-bottom: 1px solid #8884; text-align: left; vertical-align: top }
.number { text-align: right; white-space: nowrap }
figure { margin: 1.5em 0 }
svg { max-width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: currentColor }
.theirs { fill: #8aa4c8 }
.ours { fill: #d9732f }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #161616 } }
";

/// Of a chart, in pixels.
const NAME: usize = 190;
const BAR: usize = 520;
const FIGURES: usize = 130;
const LINE: usize = 18;

impl Report {
    /// Everything as a page.
    pub(in super::super) fn html(&self) -> String {
        let mut out =
            String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
        out += "<meta name=\"viewport\" content=\"width=device-width\">\n";
        out += "<title>mvcc and its peers</title>\n";
        let _ = writeln!(
            out,
            "<style>{STYLE}</style>\n<h1>mvcc and its peers</h1>\n<ul>"
        );
        for (name, value) in self.lines() {
            let _ = writeln!(out, "<li>{name}: {}</li>", escape(&value));
        }
        out += "</ul>\n<h2>Engines</h2>\n";
        out += &self.engines().html();
        out += "<h2>Rows</h2>\n";
        out += &self.legend().html();
        for threads in self.threads() {
            let _ = writeln!(out, "<h2>{}</h2>", counted(threads));
            for (caption, table) in self.grids(threads) {
                let _ = writeln!(out, "<h3>{}</h3>", escape(&caption));
                out += &table.html();
            }
        }
        if !self.figures.is_empty() {
            let _ = writeln!(out, "<h2>{SEVERAL}</h2>");
            out += &self.figures().html();
        }
        out += "<ol>\n";
        for reason in self.footnotes() {
            let _ = writeln!(out, "<li>{}</li>", escape(reason));
        }
        out += "</ol>\n";
        out += "<h2>Charts</h2>\n";
        for row in &self.rows {
            let _ = writeln!(out, "<h3>{}</h3>", escape(&row.title));
            for threads in self.threads() {
                out += &self.chart(row, threads);
            }
        }
        out += "</html>\n";
        out
    }

    /// A row's throughputs as bars.
    fn chart(&self, row: &Title, threads: usize) -> String {
        let throughput = |peer| self.cell(&row.name, threads, peer)?.throughput_tps;
        let peers = self.peers.iter().map(|peer| peer.name.as_str());
        let bars: Vec<(&str, f64)> = peers
            .filter_map(|peer| Some((peer, throughput(peer)? / 1e3)))
            .collect();
        let most = bars
            .iter()
            .map(|(_, ktps)| *ktps)
            .fold(f64::MIN_POSITIVE, f64::max);
        let (width, height) = (NAME + BAR + FIGURES, LINE * bars.len());
        let mut out = format!(
            "<figure><figcaption>{}, thousand transactions per second</figcaption>\n\
             <svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n",
            counted(threads)
        );
        for (line, (peer, ktps)) in bars.iter().enumerate() {
            let class = if *peer == self.peers[0].name {
                "ours"
            } else {
                "theirs"
            };
            let (top, base) = (line * LINE, line * LINE + LINE - 5);
            let length = ktps / most * BAR as f64;
            let end = NAME as f64 + length + 6.0;
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"{class}\" x=\"{NAME}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\"/>\
                 <text x=\"{end:.1}\" y=\"{base}\">{ktps:.0}</text>",
                NAME - 8,
                escape(peer),
                top + 2,
                LINE - 4,
            );
        }
        out += "</svg></figure>\n";
        out
    }
}

impl Table {
    fn html(&self) -> String {
        let mut out = String::from("<div class=\"wide\"><table>\n");
        for (line, tag) in
            std::iter::once((&self.head, "th")).chain(self.lines.iter().map(|line| (line, "td")))
        {
            out += "<tr>";
            for (column, cell) in line.iter().enumerate() {
                let class = if column < self.text {
                    ""
                } else {
                    " class=\"number\""
                };
                let _ = write!(out, "<{tag}{class}>{}</{tag}>", escape(cell));
            }
            out += "</tr>\n";
        }
        out += "</table></div>\n";
        out
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
