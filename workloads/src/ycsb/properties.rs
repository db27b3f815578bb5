//! YCSB's property files.

mod java;

use super::{Distribution, LengthDistribution, Lengths, Skew};
use crate::InputError;
use java::Property;
use std::time::Duration;

/// The properties of a core workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Properties {
    /// Records of the table before the run.
    pub records: u64,
    /// The first record to load.
    pub insert_start: u64,
    /// How many of the records to load, if not all from the first one on.
    pub insert_count: Option<u64>,
    /// Operations to run; 0 is no limit.
    pub operations: u64,
    /// The longest time to run, if the file says.
    pub time: Option<Duration>,
    /// Fields of a record.
    pub fields: usize,
    /// Bytes of the longest field.
    pub field_length: usize,
    /// Bytes of the shortest field, if the lengths differ.
    pub min_field_length: usize,
    /// How the lengths of the fields are distributed.
    pub field_length_distribution: LengthDistribution,
    /// Share of reads.
    pub read: f64,
    /// Share of updates.
    pub update: f64,
    /// Share of inserts.
    pub insert: f64,
    /// Share of scans.
    pub scan: f64,
    /// Share of read-modify-writes.
    pub read_modify_write: f64,
    /// Whether a read touches all fields, or one.
    pub read_all_fields: bool,
    /// Whether an update writes all fields, or one.
    pub write_all_fields: bool,
    /// Which records are used.
    pub distribution: Distribution,
    /// The parameters of some distributions.
    pub skew: Skew,
    /// Whether keys are hashes of the record numbers, or the numbers.
    pub hashed: bool,
    /// Records of the shortest scan.
    pub min_scan_length: u32,
    /// Records of the longest scan.
    pub max_scan_length: u32,
    /// How the lengths of scans are distributed.
    pub scan_length_distribution: LengthDistribution,
    /// Threads, if the file says.
    pub threads: Option<usize>,
    /// Names of properties that mean nothing here: see [`Properties::parse`].
    pub ignored: Vec<String>,
}

impl Default for Properties {
    /// YCSB's own defaults.
    fn default() -> Self {
        Self {
            records: 1_000,
            insert_start: 0,
            insert_count: None,
            operations: 1_000,
            time: None,
            fields: 10,
            field_length: 100,
            min_field_length: 1,
            field_length_distribution: LengthDistribution::Constant,
            read: 0.95,
            update: 0.05,
            insert: 0.0,
            scan: 0.0,
            read_modify_write: 0.0,
            read_all_fields: true,
            write_all_fields: false,
            distribution: Distribution::Uniform,
            skew: Skew::default(),
            hashed: true,
            min_scan_length: 1,
            max_scan_length: 1_000,
            scan_length_distribution: LengthDistribution::Uniform,
            threads: None,
            ignored: Vec::new(),
        }
    }
}

/// The six core workloads, by letter: what their files set apart from the defaults.
pub fn built_in(letter: &str) -> Option<&'static str> {
    Some(match letter.to_ascii_lowercase().as_str() {
        "a" => "readproportion=0.5\nupdateproportion=0.5\nrequestdistribution=zipfian",
        "b" => "readproportion=0.95\nupdateproportion=0.05\nrequestdistribution=zipfian",
        "c" => "readproportion=1\nupdateproportion=0\nrequestdistribution=zipfian",
        "d" => {
            "readproportion=0.95\nupdateproportion=0\ninsertproportion=0.05\nrequestdistribution=latest"
        }
        "e" => {
            "readproportion=0\nupdateproportion=0\nscanproportion=0.95\ninsertproportion=0.05\n\
             requestdistribution=zipfian\nmaxscanlength=100\nscanlengthdistribution=uniform"
        }
        "f" => {
            "readproportion=0.5\nupdateproportion=0\nreadmodifywriteproportion=0.5\nrequestdistribution=zipfian"
        }
        _ => return None,
    })
}

impl Properties {
    /// Reads a property file as `java.util.Properties` does, which takes Latin-1, and also in UTF-8
    /// or UTF-16.
    ///
    /// # Errors
    /// As [`Properties::parse`].
    pub fn read(file: &[u8]) -> Result<Self, InputError> {
        Self::parse(&java::decode(file))
    }

    /// Reads the text of a property file. Proportions are weights, as in YCSB: what they are of
    /// their sum is kept.
    ///
    /// What concerns only YCSB's measuring, its bindings to databases, or a table of strings is
    /// ignored, and listed.
    ///
    /// # Errors
    /// A message that names the property, the value, and what is accepted.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let mut properties = Self::default();
        for Property { line, name, value } in java::properties(text)? {
            if is_foreign(&name) {
                if !properties.ignored.contains(&name) {
                    properties.ignored.push(name);
                }
            } else if value.is_empty() {
                return Err(InputError::new(format!(
                    "line {line} of the workload gives {name:?} no value; expected name=value"
                )));
            } else {
                properties.set(&name, &value)?;
            }
        }
        properties.normalise()?;
        properties.check()?;
        Ok(properties)
    }

    /// Makes the weights of the operations sum to 1.
    fn normalise(&mut self) -> Result<(), InputError> {
        let weights = [
            &mut self.read,
            &mut self.update,
            &mut self.insert,
            &mut self.scan,
            &mut self.read_modify_write,
        ];
        let sum: f64 = weights.iter().map(|weight| **weight).sum();
        if sum == 0.0 || sum.is_infinite() {
            return Err(InputError::new(format!(
                "readproportion, updateproportion, insertproportion, scanproportion and \
                 readmodifywriteproportion sum to {sum}; at least one must be above 0, and none that large"
            )));
        }
        for weight in weights {
            *weight /= sum;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), InputError> {
        match name {
            "recordcount" => self.records = number(name, value)?,
            "insertstart" => self.insert_start = number_or_0(name, value)?.unwrap_or(0),
            "insertcount" => self.insert_count = Some(number(name, value)?),
            "operationcount" => self.operations = number_or_0(name, value)?.unwrap_or(0),
            "maxexecutiontime" => {
                self.time = number_or_0(name, value)?.map(Duration::from_secs);
            }
            "fieldcount" => self.fields = number(name, value)?,
            "fieldlength" => self.field_length = number(name, value)?,
            "minfieldlength" => self.min_field_length = number(name, value)?,
            "fieldlengthdistribution" if value == "histogram" => {
                return Err(InputError::new(format!(
                    "property {name}={value}: histograms of field lengths are not read; expected fieldlengthdistribution=constant, \
                     uniform or zipfian"
                )));
            }
            "fieldlengthdistribution" => {
                self.field_length_distribution = choice(name, value, &LENGTHS)?;
            }
            "threadcount" => self.threads = Some(number(name, value)?),
            "readproportion" => self.read = weight(name, value)?,
            "updateproportion" => self.update = weight(name, value)?,
            "insertproportion" => self.insert = weight(name, value)?,
            "scanproportion" => self.scan = weight(name, value)?,
            "readmodifywriteproportion" => self.read_modify_write = weight(name, value)?,
            "readallfields" => self.read_all_fields = truth(name, value)?,
            "writeallfields" => self.write_all_fields = truth(name, value)?,
            "minscanlength" => self.min_scan_length = number(name, value)?,
            "maxscanlength" => self.max_scan_length = number(name, value)?,
            "scanlengthdistribution" => {
                self.scan_length_distribution = choice(name, value, &LENGTHS[1..])?;
            }
            "insertorder" => {
                self.hashed = choice(name, value, &[("hashed", true), ("ordered", false)])?;
            }
            "requestdistribution" => self.distribution = choice(name, value, &DISTRIBUTIONS)?,
            "hotspotdatafraction" => self.skew.hot_records = share(name, value)?,
            "hotspotopnfraction" => self.skew.hot_operations = share(name, value)?,
            "exponential.percentile" => self.skew.percentile = percentile(name, value)?,
            "exponential.frac" => self.skew.fraction = fraction(name, value)?,
            // How strings sort; numbers sort as strings do that are padded enough.
            "zeropadding" => {
                number_or_0::<u32>(name, value)?;
            }
            "workload" => choice(name, value, &CLASSES)?,
            "table" => {}
            _ => {
                return Err(InputError::new(format!(
                    "unknown property {name}={value}; accepted are recordcount, operationcount, maxexecutiontime, threadcount, fieldcount, fieldlength, \
                     minfieldlength, fieldlengthdistribution, readproportion, updateproportion, insertproportion, scanproportion, \
                     readmodifywriteproportion, readallfields, writeallfields, requestdistribution, hotspotdatafraction, hotspotopnfraction, \
                     exponential.percentile, exponential.frac, insertorder, zeropadding, insertstart, insertcount, minscanlength, maxscanlength, scanlengthdistribution, workload and table"
                )));
            }
        }
        Ok(())
    }

    /// Whether the properties go together.
    ///
    /// # Errors
    /// A message that names those that do not.
    pub fn check(&self) -> Result<(), InputError> {
        let (shortest, longest) = (self.min_scan_length, self.max_scan_length);
        if shortest > longest {
            return Err(InputError::new(format!(
                "minscanlength={shortest} is above maxscanlength={longest}; it must be at most that"
            )));
        }
        let (shortest, longest) = (self.min_field_length, self.field_length);
        let varies = self.field_length_distribution != LengthDistribution::Constant;
        if varies && shortest > longest {
            return Err(InputError::new(format!(
                "minfieldlength={shortest} is above fieldlength={longest}; it must be at most that"
            )));
        }
        let (start, count) = (self.insert_start, self.insert_count);
        if start.saturating_add(count.unwrap_or(1)) > self.records {
            let count = count.map_or(String::new(), |count| format!(" + insertcount={count}"));
            return Err(InputError::new(format!(
                "insertstart={start}{count} is not within recordcount={}; the records to load must be among those",
                self.records
            )));
        }
        Ok(())
    }

    /// How many records are loaded.
    pub fn loaded(&self) -> u64 {
        self.insert_count
            .unwrap_or(self.records - self.insert_start)
    }

    /// The number of a record by its place in the order of insertion. Those loaded come first, from
    /// `insertstart` on; then those that the run inserts, from `recordcount` on.
    #[inline]
    pub(super) fn number(&self, place: u64) -> u64 {
        let loaded = self.loaded();
        if place < loaded {
            self.insert_start + place
        } else {
            self.records + (place - loaded)
        }
    }

    /// The lengths of fields.
    pub(super) fn field_lengths(&self) -> Lengths {
        Lengths::new(
            self.field_length_distribution,
            self.min_field_length as u64,
            self.field_length as u64,
        )
    }

    /// The lengths of scans.
    pub(super) fn scan_lengths(&self) -> Lengths {
        Lengths::new(
            self.scan_length_distribution,
            self.min_scan_length.into(),
            self.max_scan_length.into(),
        )
    }
}

const TRUTH: [(&str, bool); 2] = [("true", true), ("false", false)];
const DISTRIBUTIONS: [(&str, Distribution); 6] = [
    ("uniform", Distribution::Uniform),
    ("zipfian", Distribution::Zipfian),
    ("latest", Distribution::Latest),
    ("hotspot", Distribution::Hotspot),
    ("exponential", Distribution::Exponential),
    ("sequential", Distribution::Sequential),
];
/// Scans have no constant length.
const LENGTHS: [(&str, LengthDistribution); 3] = [
    ("constant", LengthDistribution::Constant),
    ("uniform", LengthDistribution::Uniform),
    ("zipfian", LengthDistribution::Zipfian),
];
/// The last one is what go-ycsb calls it.
const CLASSES: [(&str, ()); 3] = [
    ("site.ycsb.workloads.CoreWorkload", ()),
    ("com.yahoo.ycsb.workloads.CoreWorkload", ()),
    ("core", ()),
];
/// Properties of YCSB's and go-ycsb's clients and of their tables of strings. Their names have a
/// dot if they concern measuring or the binding to a database.
const FOREIGN: [&str; 21] = [
    "columnfamily",
    "core_workload_insertion_retry_interval",
    "core_workload_insertion_retry_limit",
    "dataintegrity",
    "db",
    "dotransactions",
    "dropdata",
    "exporter",
    "exportfile",
    "fieldlengthhistogram",
    "fieldnameprefix",
    "keyprefix",
    "label",
    "latencytrackederrors",
    "measurementtype",
    "outputstyle",
    "readallfieldsbyname",
    "reportlatencyforeacherror",
    "silence",
    "status",
    "verbose",
];

/// A misspelt parameter of the exponential distribution is none of these.
fn is_foreign(name: &str) -> bool {
    FOREIGN.contains(&name) || name.contains('.') && !name.starts_with("exponential.")
}

/// Above 0.
fn number<N: TryFrom<u64>>(name: &str, value: &str) -> Result<N, InputError> {
    let parsed = value.parse::<u64>().ok().filter(|&number| number > 0);
    parsed
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| {
            let most = u64::MAX >> (64 - 8 * size_of::<N>());
            InputError::new(format!(
                "property {name}={value}: expected a whole number above 0 and at most {most}"
            ))
        })
}

/// `None` is 0.
fn number_or_0<N: TryFrom<u64>>(name: &str, value: &str) -> Result<Option<N>, InputError> {
    if value.parse() == Ok(0_u64) {
        return Ok(None);
    }
    number(name, value).map(Some)
}

fn truth(name: &str, value: &str) -> Result<bool, InputError> {
    choice(name, &value.to_ascii_lowercase(), &TRUTH)
}

fn weight(name: &str, value: &str) -> Result<f64, InputError> {
    real(name, value, "a number from 0 on", |it| {
        (0.0..f64::INFINITY).contains(&it)
    })
}

fn percentile(name: &str, value: &str) -> Result<f64, InputError> {
    let expected = "a percentage above 0 and below 100";
    real(name, value, expected, |it| it > 0.0 && it < 100.0)
}

fn fraction(name: &str, value: &str) -> Result<f64, InputError> {
    real(name, value, "a number above 0", |it| {
        it > 0.0 && it.is_finite()
    })
}

fn share(name: &str, value: &str) -> Result<f64, InputError> {
    real(name, value, "a number from 0 to 1", |it| {
        (0.0..=1.0).contains(&it)
    })
}

fn real(
    name: &str,
    value: &str,
    expected: &str,
    accepts: fn(f64) -> bool,
) -> Result<f64, InputError> {
    let parsed = value.parse().ok().filter(|&it| accepts(it));
    let refused = || InputError::new(format!("property {name}={value}: expected {expected}"));
    parsed.ok_or_else(refused)
}

fn choice<T: Copy>(name: &str, value: &str, accepted: &[(&str, T)]) -> Result<T, InputError> {
    let found = accepted.iter().find(|(word, _)| *word == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = accepted.iter().map(|(word, _)| *word).collect();
        InputError::new(format!(
            "property {name}={value}: expected {}",
            words.join(" or ")
        ))
    })
}

#[cfg(test)]
mod tests;
