//! How panels look, in the words of Grafana's own panels.

use serde_json::{Value, json};

/// How a panel shows its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Big numbers, as they are now.
    Stat,
    /// A bar for each series, as it is now.
    BarGauge,
    /// Lines over time.
    Lines,
    /// Areas on top of each other over time.
    Areas,
    /// Bars on top of each other over time; each counts what happened in its minute or more.
    Bars,
    /// A row for each series, coloured over time.
    Timeline,
    /// A table, as it is now.
    Table,
}

impl Look {
    /// The name of the panel in Grafana.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::BarGauge => "bargauge",
            Self::Lines | Self::Areas | Self::Bars => "timeseries",
            Self::Timeline => "state-timeline",
            Self::Table => "table",
        }
    }

    /// Whether it shows what is, not what was.
    pub(super) fn is_of_now(self) -> bool {
        match self {
            Self::Stat | Self::BarGauge | Self::Table => true,
            Self::Lines | Self::Areas | Self::Bars | Self::Timeline => false,
        }
    }

    /// What only a panel that looks so is told about its fields. `steps` is whether colours change with the value.
    pub(super) fn custom(self, steps: bool) -> Value {
        let over_time = |draw: &str, fill: u8, stacking: &str| {
            json!({
                "drawStyle": draw,
                "fillOpacity": fill,
                "lineWidth": 1,
                "showPoints": "never",
                "spanNulls": false,
                "stacking": { "group": "A", "mode": stacking },
                "thresholdsStyle": { "mode": if steps { "dashed" } else { "off" } },
            })
        };
        match self {
            Self::Stat | Look::BarGauge => json!({}),
            Self::Lines => over_time("line", 0, "none"),
            Self::Areas => over_time("line", 40, "normal"),
            Self::Bars => over_time("bars", 80, "normal"),
            Self::Timeline => json!({ "fillOpacity": 80, "lineWidth": 0 }),
            Self::Table => json!({ "align": "auto", "filterable": true, "inspect": false }),
        }
    }

    /// The options of a panel that looks so. `named` is whether its series have names.
    pub(super) fn options(self, named: bool) -> Value {
        let now = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        let tooltip = json!({ "mode": "multi", "sort": "desc" });
        match self {
            Self::Stat => json!({
                "colorMode": "value",
                "graphMode": "none",
                "justifyMode": "auto",
                "orientation": "auto",
                "reduceOptions": now,
                "textMode": if named { "auto" } else { "value" },
            }),
            Self::BarGauge => json!({
                "displayMode": "basic",
                "orientation": "horizontal",
                "reduceOptions": now,
                "showUnfilled": true,
                "valueMode": "text",
            }),
            Self::Lines | Look::Areas | Look::Bars => json!({
                "legend": { "calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": true },
                "tooltip": tooltip,
            }),
            Self::Timeline => json!({
                "alignValue": "left",
                "legend": { "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": false },
                "mergeValues": true,
                "rowHeight": 0.8,
                "showValue": "never",
                "tooltip": tooltip,
            }),
            Self::Table => json!({ "cellHeight": "sm", "footer": { "reducer": [], "show": false }, "showHeader": true }),
        }
    }
}
