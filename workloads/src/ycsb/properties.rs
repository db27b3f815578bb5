//! YCSB's property files.

use super::{Distribution, LengthDistribution, Lengths};
use crate::InputError;

/// The properties of a core workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Properties {
    /// Records of the table before the run.
    pub records: u64,
    /// The first record to load.
    pub insert_start: u64,
    /// How many of the records to load, if not all from the first one on.
    pub insert_count: Option<u64>,
    /// Operations to run.
    pub operations: u64,
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
}

impl Default for Properties {
    /// YCSB's own defaults.
    fn default() -> Self {
        Self {
            records: 1_000,
            insert_start: 0,
            insert_count: None,
            operations: 1_000,
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
            hashed: true,
            min_scan_length: 1,
            max_scan_length: 1_000,
            scan_length_distribution: LengthDistribution::Uniform,
            threads: None,
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
    /// Reads the text of a property file: `name=value` lines, and comments from `#` or `!`.
    ///
    /// # Errors
    /// A message that names the property, the value, and what is accepted.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let mut properties = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let Some((name, value)) = line.split_once(['=', ':']) else {
                return Err(InputError::new(format!(
                    "line {} of the workload is {line:?}; expected name=value",
                    number + 1
                )));
            };
            properties.set(name.trim(), value.trim())?;
        }
        properties.check()?;
        Ok(properties)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), InputError> {
        match name {
            "recordcount" => self.records = number(name, value)?,
            "insertstart" if value == "0" => self.insert_start = 0,
            "insertstart" => self.insert_start = number(name, value)?,
            "insertcount" => self.insert_count = Some(number(name, value)?),
            "operationcount" => self.operations = number(name, value)?,
            "fieldcount" => self.fields = number(name, value)?,
            "fieldlength" => self.field_length = number(name, value)?,
            "minfieldlength" => self.min_field_length = number(name, value)?,
            "fieldlengthdistribution" | "fieldlengthhistogram"
                if value == "histogram" || name == "fieldlengthhistogram" =>
            {
                return Err(InputError::new(format!(
                    "property {name}={value}: histograms of field lengths are not read; expected fieldlengthdistribution=constant, \
                     uniform or zipfian"
                )));
            }
            "fieldlengthdistribution" => {
                self.field_length_distribution = choice(name, value, &LENGTHS)?;
            }
            "threadcount" => self.threads = Some(number(name, value)?),
            "readproportion" => self.read = share(name, value)?,
            "updateproportion" => self.update = share(name, value)?,
            "insertproportion" => self.insert = share(name, value)?,
            "scanproportion" => self.scan = share(name, value)?,
            "readmodifywriteproportion" => self.read_modify_write = share(name, value)?,
            "readallfields" => self.read_all_fields = choice(name, value, &TRUTH)?,
            "writeallfields" => self.write_all_fields = choice(name, value, &TRUTH)?,
            "minscanlength" => self.min_scan_length = number(name, value)?,
            "maxscanlength" => self.max_scan_length = number(name, value)?,
            "scanlengthdistribution" => {
                self.scan_length_distribution = choice(name, value, &LENGTHS[1..])?;
            }
            "insertorder" => {
                self.hashed = choice(name, value, &[("hashed", true), ("ordered", false)])?;
            }
            "requestdistribution" => self.distribution = choice(name, value, &DISTRIBUTIONS)?,
            "workload" => choice(name, value, &CLASSES)?,
            "table" => {}
            _ => {
                return Err(InputError::new(format!(
                    "unknown property {name}={value}; accepted are recordcount, operationcount, threadcount, fieldcount, fieldlength, \
                     minfieldlength, fieldlengthdistribution, readproportion, updateproportion, insertproportion, scanproportion, \
                     readmodifywriteproportion, readallfields, writeallfields, requestdistribution, insertorder, insertstart, insertcount, \
                     minscanlength, maxscanlength, scanlengthdistribution, workload and table"
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
        let sum = self.read + self.update + self.insert + self.scan + self.read_modify_write;
        if (sum - 1.0).abs() > 1e-6 {
            return Err(InputError::new(format!(
                "the proportions readproportion={} updateproportion={} insertproportion={} scanproportion={} \
                 readmodifywriteproportion={} sum to {sum:.6}; they must sum to 1",
                self.read, self.update, self.insert, self.scan, self.read_modify_write
            )));
        }
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

    /// The number of a record by its place in the order of insertion. Those loaded come first, from `insertstart` on; then those that the
    /// run inserts, from `recordcount` on.
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
const DISTRIBUTIONS: [(&str, Distribution); 3] = [
    ("uniform", Distribution::Uniform),
    ("zipfian", Distribution::Zipfian),
    ("latest", Distribution::Latest),
];
/// Scans have no constant length.
const LENGTHS: [(&str, LengthDistribution); 3] = [
    ("constant", LengthDistribution::Constant),
    ("uniform", LengthDistribution::Uniform),
    ("zipfian", LengthDistribution::Zipfian),
];
const CLASSES: [(&str, ()); 2] = [
    ("site.ycsb.workloads.CoreWorkload", ()),
    ("com.yahoo.ycsb.workloads.CoreWorkload", ()),
];

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

fn share(name: &str, value: &str) -> Result<f64, InputError> {
    let parsed = value.parse::<f64>().ok();
    parsed
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| {
            InputError::new(format!(
                "property {name}={value}: expected a number from 0 to 1"
            ))
        })
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
