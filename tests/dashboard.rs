//! The Grafana dashboard in `packaging/grafana/adit.json`: what is written there is what `dashboard/` declares, and it asks for metrics
//! that there are. `tests/dashboard.sh` asks a real Prometheus every one of its queries.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod dashboard {
    pub(crate) mod board;
    pub(crate) mod families;
    mod look;
    pub(crate) mod panel;
    pub(crate) mod query;
    pub(crate) mod rows;
    pub(crate) mod variables;
}

use std::{collections::BTreeSet, env, fs, path::Path};

use dashboard::{board, families, variables};

const FILE: &str = "packaging/grafana/adit.json";

#[test]
#[expect(clippy::disallowed_methods, reason = "whether to write is said in the environment")]
fn the_dashboard_that_is_shipped_is_the_one_that_is_declared() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let text = serde_json::to_string_pretty(&board::dashboard()).unwrap() + "\n";
    if env::var_os("ADIT_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let shipped = fs::read_to_string(&path).unwrap_or_default();
    assert!(shipped == text, "{FILE} is not what the code declares: ADIT_UPDATE=1 cargo test --test dashboard writes it");
}

#[test]
fn every_query_asks_for_families_that_somebody_exports() {
    let (own, foreign) = (families::own(), families::FOREIGN);
    let panels = board::panels();
    let of_panels = panels.iter().flat_map(|panel| panel.queries.iter().map(|query| query.expr.clone()));
    let mut unknown = BTreeSet::new();
    for expr in of_panels.chain(variables::mark_queries()) {
        let named = families::named_in(&expr);
        assert!(!named.is_empty(), "this asks for no family: {expr}");
        unknown.extend(named.into_iter().filter(|name| !own.contains(name) && !foreign.contains(&name.as_str())));
    }
    assert!(unknown.is_empty(), "nobody exports these families: {unknown:#?}");
}

#[test]
fn every_own_family_is_on_a_panel() {
    let shown: BTreeSet<String> =
        board::panels().iter().flat_map(|panel| panel.queries.iter().flat_map(|query| families::named_in(&query.expr))).collect();
    let missing: Vec<_> = families::own().into_iter().filter(|family| !shown.contains(family)).collect();
    assert!(missing.is_empty(), "an operator cannot see these families: {missing:#?}");
}

#[test]
fn every_panel_says_what_it_shows_and_has_a_title_of_its_own() {
    let panels = board::panels();
    let titles: BTreeSet<_> = panels.iter().map(|panel| panel.title).collect();
    assert_eq!(titles.len(), panels.len(), "two panels have one title");
    for panel in &panels {
        let title = panel.title;
        assert!(panel.description.ends_with('.') && panel.description.len() > 40, "{title:?} is not explained");
        assert!(
            !panel.queries.is_empty() && panel.queries.len() <= 26,
            "{title:?} has no queries, or too many for a letter each"
        );
        for query in &panel.queries {
            let expr = &query.expr;
            assert!(!expr.contains("vector("), "{title:?} shows a number where there is none: {expr}");
            assert!(expr.contains("$job") && expr.contains("$instance"), "{title:?} does not follow the variables: {expr}");
            assert!(
                !expr.contains("{host") && !expr.contains("{relayed"),
                "{title:?} has a selector that was not filled in: {expr}"
            );
        }
    }
}

#[test]
fn the_panels_of_a_row_fill_the_width_without_overlap() {
    let board = board::dashboard();
    let place = |panel: &serde_json::Value, key: &str| panel["gridPos"][key].as_u64().unwrap();
    let mut taken = BTreeSet::new();
    for panel in board["panels"].as_array().unwrap() {
        let (x, y) = (place(panel, "x"), place(panel, "y"));
        for cell in (y..y + place(panel, "h")).flat_map(|y| (x..x + place(panel, "w")).map(move |x| (x, y))) {
            assert!(cell.0 < 24 && taken.insert(cell), "{} lies on another panel, or outside", panel["title"]);
        }
    }
    let (height, cells) = (taken.iter().map(|cell| cell.1 + 1).max().unwrap(), u64::try_from(taken.len()).unwrap());
    assert_eq!(cells, height * 24, "there are holes between the panels");
}
