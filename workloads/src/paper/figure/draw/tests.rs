use super::*;

fn figure() -> Figure {
    let mut figure = Figure::new(
        "A & B".to_owned(),
        Horizontal::places("threads"),
        "speed, m/s",
    );
    for (engine, base) in [("one", 1.0), ("two", 2.0)] {
        for (place, name) in ["1", "2", "8"].into_iter().enumerate() {
            let value = base + place as f64;
            let spread = Some((value - 0.5, value + 0.5));
            figure.add(name, &Mark::of(engine, ""), value, spread);
        }
    }
    figure
}

/// The numbers of an attribute of all elements of this name.
fn numbers(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
    let (start, name) = (format!("<{element} "), format!("{attribute}=\""));
    let elements = svg.split(&start).skip(1);
    let values = elements.filter_map(|rest| {
        let (attributes, _) = rest.split_once('>')?;
        let (_, value) = attributes.split_once(&name)?;
        Some(value.split_once('"')?.0)
    });
    let numbers = values.flat_map(|value| {
        let numbers = value.split([' ', ',']).filter(|number| !number.is_empty());
        let numbers: Vec<f64> = numbers
            .map(|number| number.parse().expect(number))
            .collect();
        numbers
    });
    numbers.collect()
}

#[test]
fn everything_is_drawn_within_the_figure() {
    let svg = figure().svg().expect("it can be drawn");
    for text in [
        "A &amp; B",
        "threads",
        "speed, m/s",
        "one",
        "two",
        "1",
        "2",
        "8",
    ] {
        assert!(svg.contains(text), "{text} in {svg}");
    }
    // A marker for each of six points, and two in the legend.
    assert_eq!(numbers(&svg, "circle", "cx").len(), 8);
    for (element, attribute) in [("circle", "cx"), ("circle", "cy"), ("polyline", "points")] {
        let numbers = numbers(&svg, element, attribute);
        assert!(!numbers.is_empty(), "{element}");
        assert!(
            numbers.iter().all(|number| (0.0..=600.0).contains(number)),
            "{numbers:?}"
        );
    }
    assert!(!svg.contains("NaN"));
}

#[test]
fn a_higher_value_is_drawn_higher() {
    let svg = figure().svg().expect("it can be drawn");
    let heights = numbers(&svg, "circle", "cy");
    // Two of the legend first, then the points of the series.
    let heights = &heights[2..];
    assert!(
        heights[0] > heights[1] && heights[1] > heights[2],
        "{heights:?}"
    );
    assert!(heights[3] < heights[0], "{heights:?}");
}

#[test]
fn a_single_point_and_zeros_can_be_drawn() {
    let mut figure = Figure::new("t".to_owned(), Horizontal::Seconds, "n");
    figure.add_at(0.0, &Mark::of("one", ""), 0.0);
    assert!(figure.svg().expect("it can be drawn").contains("<svg"));
}

#[test]
fn what_is_no_number_is_refused() {
    let mut figure = figure();
    figure.add("8", &Mark::of("two", ""), f64::NAN, None);
    let error = figure.svg().expect_err("it has no place");
    assert!(error.contains("A & B"), "{error}");
}

#[test]
fn series_look_different() {
    let mut figure = Figure::new("t".to_owned(), Horizontal::places("x"), "y");
    for (engine, way) in [("one", "a"), ("one", "b"), ("two", "a"), ("two", "b")] {
        figure.add("1", &Mark::of(engine, way), 1.0, None);
    }
    let looks: Vec<_> = figure
        .looks()
        .iter()
        .map(|it| (it.colour, it.dash))
        .collect();
    assert!(looks[0].0 == looks[1].0 && looks[0].1 != looks[1].1);
    assert!(looks[0].0 != looks[2].0 && looks[0].1 == looks[2].1);
    // With one engine, colours are free for the ways.
    figure.series.truncate(2);
    let looks = figure.looks();
    assert!(looks[0].colour != looks[1].colour && looks[0].dash == looks[1].dash);
}
