//! What a record is stored as.

use super::{LengthDistribution, Lengths, Properties};
use crate::engine::Row;
use crate::memory::Cost;
use mvcc::codec::{Decode, Encode, fields};
use rand::rngs::SmallRng;
use std::hint::black_box;

/// The fields of a record.
pub(super) struct Shape {
    fields: usize,
    /// Bytes of a field, of the longest if they differ.
    field_length: usize,
    lengths: Lengths,
}

impl Shape {
    pub(super) fn new(properties: &Properties) -> Self {
        Self {
            fields: properties.fields,
            field_length: properties.field_length,
            lengths: properties.field_lengths(),
        }
    }

    fn size(&self) -> usize {
        self.fields * self.field_length
    }

    fn draw(&self, random: &mut SmallRng) -> usize {
        usize::try_from(self.lengths.draw(random)).expect("the longest is a usize")
    }
}

/// A row with the fields of a record.
pub(super) trait Record: Row + Encode + Decode {
    /// Field lengths that vary are random.
    fn new(shape: &Shape, fill: u8, random: &mut SmallRng) -> Self;
    fn all(&self) -> &[u8];
    fn first_field(&self, shape: &Shape) -> &[u8];
    /// The record with another value of one field.
    fn with_field(&self, shape: &Shape, field: usize, fill: u8, random: &mut SmallRng) -> Self;
}

impl<const SIZE: usize> Record for [u8; SIZE] {
    fn new(_shape: &Shape, fill: u8, _random: &mut SmallRng) -> Self {
        [fill; SIZE]
    }
    #[inline]
    fn all(&self) -> &[u8] {
        self
    }
    #[inline]
    fn first_field(&self, shape: &Shape) -> &[u8] {
        &self[..shape.field_length]
    }
    fn with_field(&self, shape: &Shape, field: usize, fill: u8, _random: &mut SmallRng) -> Self {
        let mut record = *self;
        overwrite(&mut record, shape, field, fill);
        record
    }
}

impl Record for Box<[u8]> {
    fn new(shape: &Shape, fill: u8, _random: &mut SmallRng) -> Self {
        vec![fill; shape.size()].into()
    }
    #[inline]
    fn all(&self) -> &[u8] {
        self
    }
    #[inline]
    fn first_field(&self, shape: &Shape) -> &[u8] {
        &self[..shape.field_length]
    }
    fn with_field(&self, shape: &Shape, field: usize, fill: u8, _random: &mut SmallRng) -> Self {
        let mut record = self.clone();
        overwrite(&mut record, shape, field, fill);
        record
    }
}

/// Fills a field of a record whose fields are all of the same length.
fn overwrite(record: &mut [u8], shape: &Shape, field: usize, fill: u8) {
    let start = field * shape.field_length;
    record[start..start + shape.field_length].fill(fill);
}

/// A record whose fields differ in length.
#[derive(Clone)]
pub(super) struct Varied {
    /// Where each field ends.
    ends: Box<[usize]>,
    bytes: Box<[u8]>,
}

fields!(Varied { ends, bytes });

impl Record for Varied {
    fn new(shape: &Shape, fill: u8, random: &mut SmallRng) -> Self {
        let mut end = 0;
        let ends: Box<[usize]> = (0..shape.fields)
            .map(|_| {
                end += shape.draw(random);
                end
            })
            .collect();
        Self {
            ends,
            bytes: vec![fill; end].into(),
        }
    }

    #[inline]
    fn all(&self) -> &[u8] {
        &self.bytes
    }

    fn first_field(&self, _shape: &Shape) -> &[u8] {
        &self.bytes[..self.ends[0]]
    }

    fn with_field(&self, shape: &Shape, field: usize, fill: u8, random: &mut SmallRng) -> Self {
        let start = field.checked_sub(1).map_or(0, |before| self.ends[before]);
        let (old_end, new_end) = (self.ends[field], start + shape.draw(random));
        let mut ends = self.ends.clone();
        for end in &mut ends[field..] {
            *end = *end - old_end + new_end;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() - old_end + new_end);
        bytes.extend_from_slice(&self.bytes[..start]);
        bytes.resize(new_end, fill);
        bytes.extend_from_slice(&self.bytes[old_end..]);
        Self {
            ends,
            bytes: bytes.into(),
        }
    }
}

impl Properties {
    /// Bytes that the records take in a table of the engine: those loaded, and those that so many
    /// operations insert.
    pub fn bytes(&self, cost: Cost, operations: u64) -> u64 {
        let fields = self.fields as u64;
        // Half an insert is none.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the conversion saturates"
        )]
        let inserts = (operations as f64 * self.insert) as u64;
        let rows = self.loaded().saturating_add(inserts);
        let value = fields.saturating_mul(self.field_lengths().mean());
        if varies(self) {
            let ends = fields.saturating_mul(size_of::<usize>() as u64);
            return cost.rows(rows, value.saturating_add(ends), 2);
        }
        cost.rows(rows, value, u64::from(!matches!(value, 100 | 1_000)))
    }
}

/// Whether the records of a workload are [`Varied`].
pub(super) fn varies(properties: &Properties) -> bool {
    properties.field_length_distribution != LengthDistribution::Constant
}

/// Reads every cache line of these bytes.
#[inline]
pub(super) fn touch(bytes: &[u8]) {
    let sum = bytes
        .iter()
        .step_by(64)
        .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    black_box(sum.wrapping_add(bytes[bytes.len() - 1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn shape(text: &str) -> Shape {
        Shape::new(&Properties::parse(text).expect("valid"))
    }

    fn field(record: &Varied, field: usize) -> &[u8] {
        let start = field.checked_sub(1).map_or(0, |before| record.ends[before]);
        &record.bytes[start..record.ends[field]]
    }

    #[test]
    fn field_lengths_are_within_their_bounds_and_have_their_mean() {
        let mut random = SmallRng::seed_from_u64(5);
        // The mean rank of the zipfian distribution over 61 ranks is (sum of k^0.01) / (sum of
        // k^-0.99) - 1.
        let power = |exponent: f64| (1..=61).map(|k| f64::from(k).powf(exponent)).sum::<f64>();
        let zipfian_mean = 20.0 + power(0.01) / power(-0.99) - 1.0;
        for (distribution, mean) in [("uniform", 50.0), ("zipfian", zipfian_mean)] {
            let shape = shape(&format!(
                "fieldlengthdistribution={distribution}\nminfieldlength=20\nfieldlength=80\nfieldcount=4"
            ));
            let mut sum = 0;
            for _ in 0..2_000 {
                let record = Varied::new(&shape, 1, &mut random);
                assert!((0..4).all(|it| (20..=80).contains(&field(&record, it).len())));
                assert_eq!(record.first_field(&shape), field(&record, 0));
                sum += record.all().len();
            }
            let measured = sum as f64 / 8_000.0;
            // The standard deviation of the mean is at most 0.2.
            assert!((measured - mean).abs() < 1.0, "{measured}, not {mean}");
        }
    }

    #[test]
    fn memory_is_estimated_as_it_was_measured() {
        // Bytes of a record as the peak of the process grew by them, with a million of them or
        // 200,000 larger ones.
        for (fields, length, lengths, mvcc, tplock) in [
            (1, 1, "constant", 140, 216),
            (1, 100, "constant", 189, 278),
            (10, 100, "constant", 1_105, 1_165),
            (10, 10, "uniform", 290, 363),
            (1, 1_000, "uniform", 678, 731),
            (10, 400, "constant", 4_127, 4_185),
        ] {
            let text = format!(
                "recordcount=1000\nfieldcount={fields}\nfieldlength={length}\nfieldlengthdistribution={lengths}"
            );
            let properties = Properties::parse(&text).expect("valid");
            for (engine, measured) in [("mvcc", mvcc), ("tplock", tplock)] {
                let estimated = properties.bytes(Cost::of(engine), 0) / 1_000;
                let near = measured * 85 / 100..=measured * 103 / 100;
                assert!(near.contains(&estimated), "{engine} {text}: {estimated}");
            }
        }
    }

    #[test]
    fn what_is_inserted_takes_memory_too() {
        let text = "recordcount=100\ninsertcount=50\ninsertproportion=0.5\nreadproportion=0.5\nupdateproportion=0";
        let bytes = |operations| {
            let properties = Properties::parse(text).expect("valid");
            properties.bytes(Cost::of("mvcc"), operations)
        };
        assert_eq!(bytes(100), 2 * bytes(0));
        assert_eq!(bytes(u64::MAX), u64::MAX);
    }

    #[test]
    fn another_value_of_one_field_leaves_the_others() {
        let shape = shape("fieldlengthdistribution=uniform\nfieldlength=9\nfieldcount=3");
        let mut random = SmallRng::seed_from_u64(6);
        let mut record = Varied::new(&shape, 7, &mut random);
        for (round, changed) in [1, 0, 2, 2, 1, 0].into_iter().enumerate() {
            let fill = u8::try_from(round).expect("small") + 10;
            let after = record.with_field(&shape, changed, fill, &mut random);
            for it in 0..3 {
                if it == changed {
                    assert!(field(&after, it).iter().all(|&byte| byte == fill));
                    assert!((1..=9).contains(&field(&after, it).len()));
                } else {
                    assert_eq!(field(&after, it), field(&record, it));
                }
            }
            assert_eq!(after.ends[2], after.bytes.len());
            record = after;
        }
    }

    #[test]
    fn records_of_equal_fields_change_one_too() {
        let shape = shape("fieldlength=2\nfieldcount=3");
        let mut random = SmallRng::seed_from_u64(6);
        let inline = <[u8; 6]>::new(&shape, 1, &mut random).with_field(&shape, 1, 9, &mut random);
        let boxed = <Box<[u8]>>::new(&shape, 1, &mut random).with_field(&shape, 1, 9, &mut random);
        assert_eq!(inline, [1, 1, 9, 9, 1, 1]);
        assert_eq!(boxed.all(), inline.all());
        assert_eq!(boxed.first_field(&shape), [1, 1]);
    }
}
