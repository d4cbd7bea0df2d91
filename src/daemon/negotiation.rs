//! What a scraper would rather have (RFC 9110, section 12.5).

use crate::exposition::Format;

/// The format for an `Accept` header; `None` when there is none. OpenMetrics is for who names it; everybody else gets the text format,
/// also whoever says that they take neither.
pub(super) fn format(accept: Option<&str>) -> Format {
    let mut openmetrics = 0.0_f32;
    let mut text: Option<(u8, f32)> = None;
    for item in items(accept.unwrap_or("*/*")) {
        // The most precise range that fits counts.
        let precision = match item.name.to_ascii_lowercase().as_str() {
            "application/openmetrics-text" if matches!(item.parameter("version"), None | Some("1.0.0")) => {
                openmetrics = openmetrics.max(item.weight);
                continue;
            }
            "text/plain" if matches!(item.parameter("version"), None | Some("0.0.4")) => 3,
            "text/*" => 2,
            "*/*" => 1,
            _ => continue,
        };
        text = match text {
            Some((known, weight)) if known > precision || (known == precision && weight >= item.weight) => text,
            Some(_) | None => Some((precision, item.weight)),
        };
    }
    let text = text.map_or(0.0, |(_, weight)| weight);
    if openmetrics > 0.0 && openmetrics >= text { Format::OpenMetrics } else { Format::Text }
}

/// Whether an answer to this `Accept-Encoding` header is compressed; `None` when there is none.
pub(super) fn takes_gzip(accept_encoding: Option<&str>) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for item in items(accept_encoding.unwrap_or_default()) {
        match item.name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(item.weight),
            "identity" => identity = Some(item.weight),
            "*" => any = Some(item.weight),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && identity.is_none_or(|identity| gzip >= identity)
}

/// One entry of a list with weights.
struct Item<'a> {
    name: &'a str,
    parameters: &'a str,
    /// 0 to 1; 0 says never.
    weight: f32,
}

impl<'a> Item<'a> {
    fn parameter(&self, name: &str) -> Option<&'a str> {
        parameter(self.parameters, name)
    }
}

fn items(list: &str) -> impl Iterator<Item = Item<'_>> {
    list.split(',').map(|item| {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let weight = parameter(parameters, "q").map_or(Some(1.0), |weight| weight.parse().ok());
        // What cannot be read is not wished for.
        let weight = weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
        Item { name: name.trim(), parameters, weight }
    })
}

fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_who_names_it_and_would_not_rather_have_text() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                            text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, format_wanted) in [
            (None, Format::Text),
            (Some(""), Format::Text),
            (Some("*/*"), Format::Text),
            (Some("text/plain"), Format::Text),
            (Some("application/json"), Format::Text),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (Some("Application/OpenMetrics-Text; Version=\"1.0.0\""), Format::OpenMetrics),
            (Some("application/openmetrics-text;version=2.0.0"), Format::Text),
            (Some("application/openmetrics-text;q=0.3, text/plain;q=0.5"), Format::Text),
            (Some("application/openmetrics-text;q=0.3, text/plain;q=0.1, */*;q=0.9"), Format::OpenMetrics),
            (Some("application/openmetrics-text;q=0"), Format::Text),
            (Some("application/openmetrics-text;q=soon"), Format::Text),
            (Some(prometheus_2), Format::OpenMetrics),
            (Some(prometheus_3), Format::OpenMetrics),
        ] {
            assert_eq!(format(accept), format_wanted, "{accept:?}");
        }
    }

    #[test]
    fn gzip_is_for_who_takes_it() {
        for (accept_encoding, wanted) in [
            (None, false),
            (Some(""), false),
            (Some("identity"), false),
            (Some("br"), false),
            (Some("gzip"), true),
            (Some("deflate, GZip;q=0.5"), true),
            (Some("*"), true),
            (Some("gzip;q=0"), false),
            (Some("gzip;q=0.000, *"), false),
            (Some("gzip;q=0.5, identity;q=0.8"), false),
            (Some("gzip;q=7"), false),
        ] {
            assert_eq!(takes_gzip(accept_encoding), wanted, "{accept_encoding:?}");
        }
    }
}
