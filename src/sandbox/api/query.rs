//! The query of a request: filters and pages.

use std::str::FromStr;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    answer::{Answer, Info},
    failure::Failure,
};
use hyper::StatusCode;

/// Names and values in the order in which they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes what stands behind the `?`.
    pub(super) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// All names and values.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The value of a name; an empty one counts as left out.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        pair.map(|(_, value)| value.as_str())
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.parsed(name, "true or false")
    }

    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        self.parsed(name, "a time such as 2026-01-02T03:04:05Z")
    }

    /// The page that is asked for, of a list that takes `sizes` items a page.
    pub(super) fn page(&self, sizes: PageSizes) -> Result<Page, Failure> {
        let number = self.parsed("page", "a number from 1 on")?.unwrap_or(1);
        let size = self.parsed("per_page", "a number")?.unwrap_or(sizes.default);
        if number == 0 || !(sizes.min..=sizes.max).contains(&size) {
            let rule = format!("page starts at 1; per_page must be between {} and {}", sizes.min, sizes.max);
            return Err(Failure::invalid(rule));
        }
        Ok(Page { number, size })
    }

    fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Failure> {
        let parse = |value: &str| value.parse().map_err(|_| Failure::invalid(format!("{name} must be {expected}")));
        self.text(name).map(parse).transpose()
    }
}

/// How many items a page of a list can have.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageSizes {
    pub(super) min: usize,
    pub(super) default: usize,
    pub(super) max: usize,
}

impl PageSizes {
    /// Accounts and zones.
    pub(super) const FEW: Self = Self { min: 5, default: 20, max: 50 };
    /// Tunnels, routes and applications. The default is not published; a small one shows who relies on it.
    pub(super) const MANY: Self = Self { min: 1, default: 20, max: 1_000 };
    /// DNS records.
    pub(super) const RECORDS: Self = Self { min: 1, default: 100, max: 5_000_000 };
}

/// One page of a list; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    number: usize,
    size: usize,
}

impl Page {
    /// Cuts this page out of everything that matched.
    pub(super) fn cut<T>(self, matched: &[T], render: impl Fn(&T) -> Value) -> Answer {
        let skipped = (self.number - 1).saturating_mul(self.size);
        let items: Vec<Value> = matched.iter().skip(skipped).take(self.size).map(render).collect();
        let info =
            Info { page: self.number, per_page: self.size, count: items.len(), total_count: matched.len(), total_pages: None };
        Answer { status: StatusCode::OK, result: Value::Array(items), info: Some(info) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_and_counted() {
        let items: Vec<usize> = (0..5).collect();
        let cut = |query: &str| {
            let page = Query::parse(query).page(PageSizes::MANY).unwrap();
            let answer = page.cut(&items, |item| Value::from(*item));
            let info = answer.info.unwrap();
            (answer.result, info.count, info.total_count)
        };
        assert_eq!(cut("per_page=2"), (Value::from(vec![0, 1]), 2, 5));
        assert_eq!(cut("per_page=2&page=3"), (Value::from(vec![4]), 1, 5));
        assert_eq!(cut("page=9"), (Value::from(Vec::<usize>::new()), 0, 5));
    }

    #[test]
    fn pages_outside_of_the_limits_are_refused() {
        for query in ["page=0", "page=x", "per_page=4", "per_page=51", "per_page=-1"] {
            assert!(Query::parse(query).page(PageSizes::FEW).is_err(), "{query}");
        }
    }
}
