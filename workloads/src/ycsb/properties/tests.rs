//! What property files are accepted.

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
        (
            "maxscanlength=5000000000",
            vec!["maxscanlength=5000000000", "at most 4294967295"],
        ),
        (
            "scanlengthdistribution=constant",
            vec!["scanlengthdistribution=constant", "uniform or zipfian"],
        ),
        (
            "fieldlengthdistribution=histogram",
            vec!["fieldlengthdistribution=histogram", "not read", "uniform"],
        ),
        (
            "fieldlengthdistribution=uniform\nminfieldlength=101",
            vec!["minfieldlength=101", "fieldlength=100"],
        ),
        (
            "insertstart=600\ninsertcount=401",
            vec!["insertstart=600 + insertcount=401", "recordcount=1000"],
        ),
        (
            "insertstart=1000",
            vec!["insertstart=1000 ", "recordcount=1000"],
        ),
        ("insertcount=0", vec!["insertcount=0", "above 0"]),
        ("insertstart=-1", vec!["insertstart=-1", "whole number"]),
        (
            "insertorder=random",
            vec!["insertorder=random", "hashed or ordered"],
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

#[test]
fn a_part_of_the_records_is_loaded() {
    let loaded = |text| Properties::parse(text).expect("valid").loaded();
    assert_eq!(loaded("recordcount=50"), 50);
    assert_eq!(loaded("recordcount=50\ninsertstart=0"), 50);
    assert_eq!(loaded("recordcount=50\ninsertstart=20"), 30);
    assert_eq!(loaded("recordcount=50\ninsertcount=10"), 10);
    let text = "insertcount=3\ninsertstart=20\nrecordcount=50";
    let properties = Properties::parse(text).expect("valid, whatever the order");
    let numbers: Vec<_> = (0..6).map(|place| properties.number(place)).collect();
    assert_eq!(numbers, [20, 21, 22, 50, 51, 52]);
}

#[test]
fn a_constant_length_needs_no_shortest() {
    let properties = Properties::parse("minfieldlength=5\nfieldlength=3").expect("valid");
    let mut random = rand::SeedableRng::seed_from_u64(1);
    assert_eq!(properties.field_lengths().draw(&mut random), 3);
}
