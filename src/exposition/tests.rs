use proptest::prelude::*;

use super::*;

type Read = (String, Vec<(String, String)>, f64);

fn read(line: &str) -> Option<Read> {
    Sample::read(line).map(|sample| {
        let labels = sample.labels().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
        (sample.name.to_owned(), labels, sample.value)
    })
}

fn page(pieces: &[&[u8]]) -> Vec<Read> {
    let mut exposition = Exposition::default();
    let mut samples = Vec::new();
    for piece in pieces {
        exposition.take(piece, &mut |line| {
            let Line::Sample(sample) = line else { return };
            let labels = sample.labels().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
            samples.push((sample.name.to_owned(), labels, sample.value));
        });
    }
    samples
}

#[test]
fn a_sample_is_a_name_labels_and_a_number() {
    let labels = |labels: &[(&str, &str)]| {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    for (line, name, expected, value) in [
        ("requests 3", "requests", vec![], 3.0),
        ("requests\t3 1700000000000", "requests", vec![], 3.0),
        ("a:b_total{} 2e3", "a:b_total", vec![], 2000.0),
        (r#"codes{status_code="200"} 7"#, "codes", labels(&[("status_code", "200")]), 7.0),
        (r#"codes { a = "x" , b="y", } -1"#, "codes", labels(&[("a", "x"), ("b", "y")]), -1.0),
        (r#"x{a="}",b="\"\\\n,",c=""} 1"#, "x", labels(&[("a", "}"), ("b", "\"\\\n,"), ("c", "")]), 1.0),
        (r#"x{a="\q"} 1"#, "x", labels(&[("a", "\\q")]), 1.0),
        ("x +Inf", "x", vec![], f64::INFINITY),
        ("x -Inf", "x", vec![], f64::NEG_INFINITY),
    ] {
        assert_eq!(read(line), Some((name.to_owned(), expected, value)), "{line}");
    }
    assert!(read("x NaN").unwrap().2.is_nan());
    let sample = Sample::read(r#"x{a="1",b="2"} 1"#).unwrap();
    assert_eq!((sample.label("b").as_deref(), sample.label("c")), (Some("2"), None));
}

#[test]
fn what_breaks_the_format_is_no_sample() {
    for line in [
        "",
        "   ",
        "# HELP x what it is",
        "# TYPE x counter",
        "x",
        "x ",
        "1x 3",
        "{} 3",
        "x 3 4 5",
        "x 3 soon",
        "x three",
        "x nan",
        "x infinity",
        "x 0x10",
        r#"x{a="1" 3"#,
        r#"x{a="1} 3"#,
        r#"x{a=1} 3"#,
        r#"x{="1"} 3"#,
        r#"x{a="1"b="2"} 3"#,
        "x{,} 3",
        "x} 3",
        "é 3",
    ] {
        assert_eq!(read(line), None, "{line:?}");
    }
}

#[test]
fn a_comment_may_say_what_a_family_is() {
    let help = |family, text: &'static str| Some(Line::Help { family, text: text.into() });
    for (line, said) in [
        ("# HELP x What it is.", help("x", "What it is.")),
        ("#\tHELP  x  a \\\\ b\\nc \\\" d", help("x", "a \\ b\nc \\\" d")),
        ("# HELP x", help("x", "")),
        ("# TYPE a:b counter\r", Some(Line::Type { family: "a:b", kind: Kind::Counter })),
        ("# TYPE x unknown", Some(Line::Type { family: "x", kind: Kind::Untyped })),
        ("# TYPE x gadget", None),
        ("# TYPE x", None),
        ("# TYPE 1x counter", None),
        ("# HELP x{} text", None),
        ("# HELP", None),
        ("# EOF", None),
        ("#", None),
    ] {
        assert_eq!(Line::read(line), said, "{line}");
    }
}

#[test]
fn a_line_that_the_end_cut_off_is_no_sample() {
    assert_eq!(page(&[b"a 1\nb 12"]), [("a".to_owned(), vec![], 1.0)]);
}

#[test]
fn a_line_that_is_too_long_or_no_text_is_passed_over() {
    let long = "x".repeat(LINE_BYTES_MAX);
    let text = format!("a 1\n{long} 2\nb 3\n");
    let expected = [("a".to_owned(), vec![], 1.0), ("b".to_owned(), vec![], 3.0)];
    assert_eq!(page(&[text.as_bytes()]), expected);
    assert_eq!(page(&text.as_bytes().chunks(7).collect::<Vec<_>>()), expected);
    assert_eq!(page(&[b"a 1\n\xff\xfe 2\nb 3\n"]), expected);
}

#[test]
fn numbers_are_written_in_full_and_read_back_the_same() {
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (-7.0, "-7"),
        (0.5, "0.5"),
        (1_700_000_000.0, "1700000000"),
        (9_007_199_254_740_991.0, "9007199254740991"),
        (-9_007_199_254_740_992.0, "-9007199254740992"),
        (9_007_199_254_740_994.0, "9007199254740994"),
        (1e20, "100000000000000000000"),
        (1e21, "1e21"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Inf"),
    ] {
        let mut text = String::new();
        write_number(&mut text, value);
        assert_eq!(text, expected);
        let read = number(&text).unwrap();
        assert!(read.to_bits() == value.to_bits() || read.is_nan() && value.is_nan(), "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_that_comes_makes_it_panic_or_keep_much(bytes: Vec<u8>, cut in 0_usize..64) {
        let mut exposition = Exposition::default();
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        exposition.take(head, &mut |line| drop(format!("{line:?}")));
        exposition.take(tail, &mut |line| drop(format!("{line:?}")));
        prop_assert!(exposition.line.len() <= LINE_BYTES_MAX);
    }

    #[test]
    fn any_line_is_read_or_passed_over(line in "[a-c_0]{0,3}[{]?([a-b]=?\"?[\\\\\"n}, x]{0,4}\"?,?){0,3}[}]? ?[0-9a-zN+.-]{0,5}") {
        if let Some(sample) = Sample::read(&line) {
            prop_assert!(!sample.name.is_empty());
            prop_assert!(sample.labels().all(|(name, _)| !name.is_empty()));
        }
    }

    #[test]
    fn samples_are_the_same_however_the_page_is_cut(
        samples in prop::collection::vec(("[a-z_:][a-z0-9_:]{0,9}", prop::collection::btree_map("[a-z]{1,4}", "\\PC{0,8}", 0..3), -1e9_f64..1e9), 0..9),
        size in 1_usize..40,
    ) {
        let mut text = String::new();
        for (name, labels, value) in &samples {
            let labels: Vec<String> = labels.iter().map(|(name, value)| {
                format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
            }).collect();
            text.push_str(&format!("# HELP {name} text\n{name}{{{}}} {value}\n", labels.join(",")));
        }
        let expected: Vec<Read> = samples.into_iter().map(|(name, labels, value)| (name, labels.into_iter().collect(), value)).collect();
        prop_assert_eq!(page(&text.as_bytes().chunks(size).collect::<Vec<_>>()), expected);
    }
}
