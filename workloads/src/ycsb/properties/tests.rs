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
        ("scanproportion=-1", vec!["scanproportion=-1", "from 0 on"]),
        (
            "scanproportion=NaN",
            vec!["scanproportion=NaN", "from 0 on"],
        ),
        (
            "readproportion=0\nupdateproportion=0",
            vec!["readproportion", "sum to 0;"],
        ),
        (
            "readproportion=1e308\nupdateproportion=1e308",
            vec!["sum to inf", "none that large"],
        ),
        (
            "hotspotopnfraction=1.1",
            vec!["hotspotopnfraction=1.1", "0 to 1"],
        ),
        (
            "exponential.percentile=100",
            vec!["exponential.percentile=100", "below 100"],
        ),
        ("exponential.frac=0", vec!["exponential.frac=0", "above 0"]),
        (
            "exponential.percent=9",
            vec!["exponential.percent=9", "exponential.percentile,"],
        ),
        ("maxexecutiontime=-1", vec!["maxexecutiontime=-1", "whole"]),
        ("zeropadding=x", vec!["zeropadding=x", "whole number"]),
        ("workload=site.Other", vec!["workload=site.Other", "core"]),
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
        (
            "\nrecordcount=",
            vec!["line 2", "recordcount", "name=value"],
        ),
    ] {
        let error = Properties::parse(text).expect_err(text).to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(!error.contains('\n'));
    }
}

#[test]
fn proportions_are_weights() {
    let text = "readproportion=95\nupdateproportion=0\nscanproportion=3\ninsertproportion=2";
    let found = Properties::parse(text).expect("valid");
    assert_eq!((found.read, found.scan, found.insert), (0.95, 0.03, 0.02));
    let few = Properties::parse("readproportion=0.2\nupdateproportion=0.05").expect("valid");
    assert_eq!((few.read, few.update), (0.8, 0.2));
}

#[test]
fn the_parameters_of_all_distributions_are_read() {
    let read = |text| Properties::parse(text).expect("valid");
    let hotspot = read(
        "requestdistribution=hotspot\nhotspotdatafraction=0.1\nhotspotopnfraction=1\nzeropadding=8",
    );
    assert_eq!(hotspot.distribution, Distribution::Hotspot);
    assert_eq!(
        (hotspot.skew.hot_records, hotspot.skew.hot_operations),
        (0.1, 1.0)
    );
    let text = "requestdistribution=exponential\nexponential.percentile=90\nexponential.frac=0.5";
    let exponential = read(text);
    assert_eq!(exponential.distribution, Distribution::Exponential);
    assert_eq!(
        (exponential.skew.percentile, exponential.skew.fraction),
        (90.0, 0.5)
    );
    assert_eq!(
        read("requestdistribution=sequential").distribution,
        Distribution::Sequential
    );
}

#[test]
fn a_run_may_be_limited_by_time() {
    let read = |text| Properties::parse(text).expect("valid");
    let timed = read("operationcount=0\nmaxexecutiontime=30");
    assert_eq!(
        (timed.operations, timed.time),
        (0, Some(Duration::from_secs(30)))
    );
    assert_eq!(read("maxexecutiontime=0").time, None);
}

#[test]
fn what_means_nothing_here_is_listed_once() {
    let text = "measurementtype=raw\nhistogram.buckets=0\njdbc.url=a\\:b\nmeasurementtype=histogram\ntable=t\ncolumnfamily=";
    let found = Properties::parse(text).expect("valid");
    assert_eq!(
        found.ignored,
        [
            "measurementtype",
            "histogram.buckets",
            "jdbc.url",
            "columnfamily"
        ]
    );
}

#[test]
fn truth_is_written_as_java_accepts_it() {
    let found = Properties::parse("readallfields=False\nwriteallfields=TRUE").expect("valid");
    assert!(!found.read_all_fields && found.write_all_fields);
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
