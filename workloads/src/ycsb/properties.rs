//! YCSB's property files.

use super::Distribution;
use crate::InputError;

/// The properties of a core workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Properties {
    /// Records to load.
    pub records: u64,
    /// Operations to run.
    pub operations: u64,
    /// Fields of a record.
    pub fields: usize,
    /// Bytes of a field.
    pub field_length: usize,
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
    /// Shortest and longest scan, and whether lengths are zipfian (else uniform).
    pub scan_length: (u64, u64, bool),
    /// Threads, if the file says.
    pub threads: Option<usize>,
}

impl Default for Properties {
    /// YCSB's own defaults.
    fn default() -> Self {
        Self {
            records: 1_000,
            operations: 1_000,
            fields: 10,
            field_length: 100,
            read: 0.95,
            update: 0.05,
            insert: 0.0,
            scan: 0.0,
            read_modify_write: 0.0,
            read_all_fields: true,
            write_all_fields: false,
            distribution: Distribution::Uniform,
            hashed: true,
            scan_length: (1, 1_000, false),
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
            "operationcount" => self.operations = number(name, value)?,
            "fieldcount" => self.fields = number(name, value)?,
            "fieldlength" => self.field_length = number(name, value)?,
            "threadcount" => self.threads = Some(number(name, value)?),
            "readproportion" => self.read = share(name, value)?,
            "updateproportion" => self.update = share(name, value)?,
            "insertproportion" => self.insert = share(name, value)?,
            "scanproportion" => self.scan = share(name, value)?,
            "readmodifywriteproportion" => self.read_modify_write = share(name, value)?,
            "readallfields" => self.read_all_fields = choice(name, value, &TRUTH)?,
            "writeallfields" => self.write_all_fields = choice(name, value, &TRUTH)?,
            "minscanlength" => self.scan_length.0 = number(name, value)?,
            "maxscanlength" => self.scan_length.1 = number(name, value)?,
            "scanlengthdistribution" => {
                self.scan_length.2 = choice(name, value, &[("uniform", false), ("zipfian", true)])?;
            }
            "insertorder" => {
                self.hashed = choice(name, value, &[("hashed", true), ("ordered", false)])?;
            }
            "requestdistribution" => self.distribution = choice(name, value, &DISTRIBUTIONS)?,
            // The one value of these that applies here.
            "fieldlengthdistribution" => choice(name, value, &[("constant", ())])?,
            "insertstart" => choice(name, value, &[("0", ())])?,
            "workload" => choice(name, value, &CLASSES)?,
            "table" => {}
            _ => {
                return Err(InputError::new(format!(
                    "unknown property {name}={value}; accepted are recordcount, operationcount, threadcount, fieldcount, fieldlength, \
                     fieldlengthdistribution, readproportion, updateproportion, insertproportion, scanproportion, \
                     readmodifywriteproportion, readallfields, writeallfields, requestdistribution, insertorder, insertstart, \
                     minscanlength, maxscanlength, scanlengthdistribution, workload and table"
                )));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), InputError> {
        let sum = self.read + self.update + self.insert + self.scan + self.read_modify_write;
        if (sum - 1.0).abs() > 1e-6 {
            return Err(InputError::new(format!(
                "the proportions readproportion={} updateproportion={} insertproportion={} scanproportion={} \
                 readmodifywriteproportion={} sum to {sum:.6}; they must sum to 1",
                self.read, self.update, self.insert, self.scan, self.read_modify_write
            )));
        }
        let (shortest, longest, _) = self.scan_length;
        if shortest > longest {
            return Err(InputError::new(format!(
                "minscanlength={shortest} is above maxscanlength={longest}; it must be at most that"
            )));
        }
        Ok(())
    }
}

const TRUTH: [(&str, bool); 2] = [("true", true), ("false", false)];
const DISTRIBUTIONS: [(&str, Distribution); 3] = [
    ("uniform", Distribution::Uniform),
    ("zipfian", Distribution::Zipfian),
    ("latest", Distribution::Latest),
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
            InputError::new(format!(
                "property {name}={value}: expected a whole number above 0"
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
mod tests {
    use super::*;

    #[test]
    fn the_core_workloads_are_built_in() {
        for letter in ["a", "b", "c", "d", "e", "f", "A"] {
            let text = built_in(letter).expect("one of the six");
            Properties::parse(text).expect("they are valid");
        }
        assert_eq!(built_in("g"), None);
        let d = Properties::parse(built_in("d").expect("built in")).expect("valid");
        assert_eq!((d.insert, d.distribution), (0.05, Distribution::Latest));
    }

    #[test]
    fn errors_name_property_value_and_what_is_accepted() {
        for (text, parts) in [
            (
                "readproportions=1",
                vec!["readproportions=1", "readproportion,"],
            ),
            ("recordcount=0", vec!["recordcount=0", "above 0"]),
            ("readproportion=1.5", vec!["readproportion=1.5", "0 to 1"]),
            (
                "readproportion=0.5",
                vec!["sum to 0.550000", "must sum to 1"],
            ),
            (
                "requestdistribution=hot",
                vec!["requestdistribution=hot", "zipfian"],
            ),
            (
                "minscanlength=9\nmaxscanlength=3",
                vec!["minscanlength=9", "maxscanlength=3"],
            ),
            ("nonsense", vec!["line 1", "name=value"]),
        ] {
            let error = Properties::parse(text).expect_err(text).to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
            assert!(!error.contains('\n'));
        }
    }

    #[test]
    fn comments_and_spaces_are_allowed() {
        let text = "# a comment\n\n recordcount = 7 \n! another\ninsertorder=ordered";
        let properties = Properties::parse(text).expect("valid");
        assert_eq!((properties.records, properties.hashed), (7, false));
    }
}
