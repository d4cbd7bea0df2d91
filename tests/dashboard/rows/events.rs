//! What happened.

use crate::dashboard::{
    panel::Panel,
    query::{BAR, grown},
};

pub(super) fn panels() -> Vec<Panel> {
    let by = |labels: &str, family: &str| format!("sum by ({labels}) ({})", grown(family, BAR));
    vec![
        Panel::bars(
            "Warnings and errors",
            12,
            "Events that an operator should look at, by kind; adit events says what each is. Each is counted in one bar.",
        )
        .query(by("kind, level", "adit_events_total{host, level=~\"warn|error\"}"), "{{level}}: {{kind}}")
        .none("nothing to look at"),
        Panel::bars(
            "Events by kind",
            12,
            "Everything that happened, by kind. The reference of events explains them. Each is counted in one bar.",
        )
        .query(by("kind", "adit_events_total{host}"), "{{kind}}"),
    ]
}
