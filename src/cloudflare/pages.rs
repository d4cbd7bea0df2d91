//! Lists, page by page, and the proof that nothing is missing.
//!
//! What is not in a list gets created again or taken for deleted, so a list is only as good as its completeness: every page
//! must hold as many items as it says, all pages together as many as were announced, and nothing may move while it is read.
//! Everything else is [`Kind::Incomplete`], which proves nothing.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::{
    Error, Kind,
    call::Call,
    envelope::ResultInfo,
    transport::{Answer, Transport},
};

/// Pages of one list, at most: 10,000 zones or 200,000 tunnels. At the default budget they take a minute.
const PAGES_MAX: u64 = 200;

/// How often a list is read that changes under our hands.
const READS_MAX: u32 = 2;

/// Items that can be told apart.
pub(super) trait Identified {
    /// What is unique within the list.
    fn identity(&self) -> &str;
}

/// A list while it is put together.
pub(super) struct Pages<T> {
    per_page: u64,
    items: Vec<T>,
    identities: BTreeSet<String>,
    pages: u64,
    total: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is another page.
    More,
    /// This is all of it.
    Complete,
    /// The list changed between two pages.
    Changed,
    /// Something is missing.
    Incomplete(String),
}

impl Transport {
    /// Reads a whole list: all of it, or an error.
    pub(super) async fn list<T: DeserializeOwned + Identified>(&self, call: &Call, per_page: u64) -> Result<Vec<T>, Error> {
        for _ in 0..READS_MAX {
            if let Some(items) = self.list_once(call, per_page).await? {
                return Ok(items);
            }
        }
        Err(Error::of(Kind::Incomplete, call).detail("it changed each time while it was read"))
    }

    /// Reads a list that Cloudflare gives on one page: all that it announces, or an error.
    pub(super) async fn list_whole<T: DeserializeOwned>(&self, call: &Call) -> Result<Vec<T>, Error> {
        let Answer { value, info, .. } = self.call::<Vec<T>>(call).await?;
        let announced = info.and_then(|info| info.total_count.max(info.count));
        if announced.is_some_and(|announced| announced != value.len() as u64) {
            return Err(Error::of(Kind::Incomplete, call).detail("it holds another number of items than it announces"));
        }
        Ok(value)
    }

    /// `None` when the list changed while it was read.
    async fn list_once<T: DeserializeOwned + Identified>(&self, call: &Call, per_page: u64) -> Result<Option<Vec<T>>, Error> {
        let mut pages = Pages::new(per_page);
        loop {
            let page = call.clone().query("per_page", per_page.to_string()).query("page", (pages.pages + 1).to_string());
            let Answer { value, info, .. } = self.call(&page).await?;
            match pages.add(value, info) {
                Progress::More => {}
                Progress::Complete => return Ok(Some(pages.items)),
                Progress::Changed => return Ok(None),
                Progress::Incomplete(reason) => return Err(Error::of(Kind::Incomplete, call).detail(reason)),
            }
        }
    }
}

impl<T: Identified> Pages<T> {
    pub(super) fn new(per_page: u64) -> Self {
        Self { per_page, items: Vec::new(), identities: BTreeSet::new(), pages: 0, total: None }
    }

    pub(super) fn add(&mut self, items: Vec<T>, info: Option<ResultInfo>) -> Progress {
        let received = items.len() as u64;
        let Some(info) = info else {
            return Progress::Incomplete("the answer does not say how long it is (no result_info)".to_owned());
        };
        self.pages += 1;
        if info.page.is_some_and(|page| page != self.pages) {
            return Progress::Incomplete(format!("page {} was asked for, another one came", self.pages));
        }
        if info.count.is_some_and(|count| count != received) {
            return Progress::Incomplete(format!("a page announces {} items and holds {received}", info.count.unwrap_or(0)));
        }
        if self.pages > 1 && info.total_count != self.total {
            return Progress::Changed;
        }
        self.total = info.total_count;
        for item in items {
            // An item that comes again was pushed onto the next page by another one, which we have not seen.
            if !self.identities.insert(item.identity().to_owned()) {
                return Progress::Changed;
            }
            self.items.push(item);
        }
        self.progress(received, info)
    }

    fn progress(&self, received: u64, info: ResultInfo) -> Progress {
        let collected = self.items.len() as u64;
        // The other side may give less than was asked for, if it says so.
        let per_page = info.per_page.unwrap_or(self.per_page);
        match self.total {
            Some(total) if collected == total => Progress::Complete,
            // What holds nothing although its pages may hold nothing is no reason to ask for the next.
            Some(total) if collected > total || received < per_page.max(1) => {
                Progress::Incomplete(format!("{total} items are announced and {collected} came"))
            }
            // Without a total, a page that says itself that it is not full is the last one.
            None if info.count.is_some() && received < per_page => Progress::Complete,
            None if info.count.is_none() || per_page == 0 => {
                Progress::Incomplete("the answer does not say how long it is (no count, no total_count)".to_owned())
            }
            Some(_) | None if self.pages >= PAGES_MAX => Progress::Incomplete(format!("it has more than {PAGES_MAX} pages")),
            Some(_) | None => Progress::More,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Identified for String {
        fn identity(&self) -> &str {
            self
        }
    }

    fn info(page: u64, per_page: u64, count: u64, total: u64) -> Option<ResultInfo> {
        Some(ResultInfo { page: Some(page), per_page: Some(per_page), count: Some(count), total_count: Some(total) })
    }

    fn items(range: std::ops::Range<u64>) -> Vec<String> {
        range.map(|number| number.to_string()).collect()
    }

    fn incomplete(progress: &Progress) -> bool {
        matches!(progress, Progress::Incomplete(_))
    }

    #[test]
    fn a_list_is_complete_when_all_announced_items_came() {
        let mut pages = Pages::new(2);
        assert_eq!(pages.add(items(0..2), info(1, 2, 2, 5)), Progress::More);
        assert_eq!(pages.add(items(2..4), info(2, 2, 2, 5)), Progress::More);
        assert_eq!(pages.add(items(4..5), info(3, 2, 1, 5)), Progress::Complete);
        assert_eq!(pages.items, items(0..5));
    }

    #[test]
    fn an_empty_list_is_complete_only_when_it_says_so() {
        assert_eq!(Pages::new(50).add(items(0..0), info(1, 50, 0, 0)), Progress::Complete);
        assert!(incomplete(&Pages::new(50).add(items(0..0), info(1, 50, 0, 7))));
        assert!(incomplete(&Pages::new(50).add(items(0..0), None)));
        assert!(incomplete(&Pages::new(50).add(items(0..0), info(1, 0, 0, 7))), "its pages hold nothing");
        assert!(incomplete(&Pages::new(50).add(items(0..0), Some(ResultInfo::default()))));
    }

    #[test]
    fn a_full_page_without_a_total_asks_for_the_next() {
        let untold = |page, count| Some(ResultInfo { page: Some(page), per_page: None, count: Some(count), total_count: None });
        let mut pages = Pages::new(2);
        assert_eq!(pages.add(items(0..2), untold(1, 2)), Progress::More);
        assert_eq!(pages.add(items(0..0), untold(2, 0)), Progress::Complete);
    }

    #[test]
    fn a_page_that_is_shorter_than_it_says_is_incomplete() {
        assert!(incomplete(&Pages::new(50).add(items(0..3), info(1, 50, 4, 4))));
        assert!(incomplete(&Pages::new(50).add(items(0..3), info(1, 50, 3, 4))), "shorter than the total");
        assert!(incomplete(&Pages::new(50).add(items(0..3), info(1, 50, 3, 2))), "longer than the total");
    }

    #[test]
    fn another_page_than_the_one_asked_for_is_incomplete() {
        let mut pages = Pages::new(2);
        assert_eq!(pages.add(items(0..2), info(1, 2, 2, 4)), Progress::More);
        assert!(incomplete(&pages.add(items(0..2), info(1, 2, 2, 4))));
    }

    #[test]
    fn a_smaller_page_size_than_asked_for_is_followed_when_it_is_told() {
        let mut pages = Pages::new(1_000);
        assert_eq!(pages.add(items(0..2), info(1, 2, 2, 3)), Progress::More);
        assert_eq!(pages.add(items(2..3), info(2, 2, 1, 3)), Progress::Complete);
    }

    #[test]
    fn a_list_that_moves_while_it_is_read_is_noticed() {
        for (second, total) in [(items(2..4), 5), (items(1..3), 4)] {
            let mut pages = Pages::new(2);
            assert_eq!(pages.add(items(0..2), info(1, 2, 2, 4)), Progress::More);
            assert_eq!(pages.add(second, info(2, 2, 2, total)), Progress::Changed);
        }
    }

    #[test]
    fn an_endless_list_ends() {
        let mut pages = Pages::new(1);
        for page in 1..PAGES_MAX {
            assert_eq!(pages.add(items(page..page + 1), info(page, 1, 1, 9_999)), Progress::More);
        }
        assert!(incomplete(&pages.add(items(0..1), info(PAGES_MAX, 1, 1, 9_999))));
    }

    proptest! {
        #[test]
        fn complete_means_that_nothing_is_missing(total in 0_u64..60, per_page in 1_u64..20, lost in prop::option::of(0_u64..60)) {
            let mut pages = Pages::new(per_page);
            let last = loop {
                let first = pages.pages * per_page;
                let range = first.min(total)..(first + per_page).min(total);
                let mut page = items(range.clone());
                page.retain(|item| lost.is_none_or(|lost| *item != lost.to_string()));
                let count = page.len() as u64;
                let progress = pages.add(page, info(pages.pages + 1, per_page, count, total));
                if progress != Progress::More {
                    break progress;
                }
            };
            let missing = lost.is_some_and(|lost| lost < total);
            prop_assert_eq!(last == Progress::Complete, !missing);
            prop_assert!(missing || pages.items.len() as u64 == total);
        }
    }
}
