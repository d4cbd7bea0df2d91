//! A panel: what it asks, how it looks, and its form in Grafana's JSON.

use serde_json::{Value, json};

use super::{look::Look, query::selectors, variables::datasource};

/// One panel.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) queries: Vec<Query>,
    /// In 24ths of the width.
    pub(crate) width: u64,
    /// In Grafana's grid units of some 30 pixels.
    pub(crate) height: u64,
    look: Look,
    unit: &'static str,
    min: Option<f64>,
    max: Option<f64>,
    none: Option<&'static str>,
    steps: Vec<(Option<f64>, &'static str)>,
    mappings: Vec<Value>,
    overrides: Vec<Value>,
    transformations: Vec<Value>,
}

/// One question to Prometheus.
pub(crate) struct Query {
    pub(crate) expr: String,
    pub(crate) legend: &'static str,
}

impl Panel {
    pub(crate) fn stat(title: &'static str, width: u64, description: &'static str) -> Self {
        Self::new(Look::Stat, title, width, 4, description)
    }

    pub(crate) fn bar_gauge(title: &'static str, width: u64, description: &'static str) -> Self {
        Self::new(Look::BarGauge, title, width, 8, description)
    }

    pub(crate) fn lines(title: &'static str, width: u64, description: &'static str) -> Self {
        Self::new(Look::Lines, title, width, 8, description)
    }

    pub(crate) fn areas(title: &'static str, width: u64, description: &'static str) -> Self {
        Self::new(Look::Areas, title, width, 8, description)
    }

    pub(crate) fn bars(title: &'static str, width: u64, description: &'static str) -> Self {
        Self::new(Look::Bars, title, width, 8, description)
    }

    pub(crate) fn timeline(title: &'static str, width: u64, description: &'static str) -> Self {
        Self::new(Look::Timeline, title, width, 8, description)
    }

    pub(crate) fn table(title: &'static str, width: u64, description: &'static str) -> Self {
        Self::new(Look::Table, title, width, 8, description)
    }

    fn new(look: Look, title: &'static str, width: u64, height: u64, description: &'static str) -> Self {
        Self {
            title,
            description,
            queries: Vec::new(),
            width,
            height,
            look,
            unit: "short",
            min: None,
            max: None,
            none: None,
            steps: vec![(None, "green")],
            mappings: Vec::new(),
            overrides: Vec::new(),
            transformations: Vec::new(),
        }
    }

    /// One more query; `expr` may have selectors such as `{tunnel}` (see `selectors`).
    pub(crate) fn query(mut self, expr: impl AsRef<str>, legend: &'static str) -> Self {
        self.queries.push(Query { expr: selectors(expr.as_ref()), legend });
        self
    }

    pub(crate) fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub(crate) fn height(mut self, height: u64) -> Self {
        self.height = height;
        self
    }

    pub(crate) fn min(mut self, min: f64) -> Self {
        self.min = Some(min);
        self
    }

    pub(crate) fn max(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    /// What is shown when there is no series, which is no mistake here.
    pub(crate) fn none(mut self, text: &'static str) -> Self {
        self.none = Some(text);
        self
    }

    /// Colours by value: the first from the bottom up, each other from its value up.
    pub(crate) fn steps(mut self, first: &'static str, others: &[(f64, &'static str)]) -> Self {
        self.steps = vec![(None, first)];
        self.steps.extend(others.iter().map(|(from, color)| (Some(*from), *color)));
        self
    }

    /// 1 is good and green, 0 is bad and red.
    pub(crate) fn words(self, good: &'static str, bad: &'static str) -> Self {
        let mut panel = self.steps("red", &[(1.0, "green")]).min(0.0).max(1.0);
        panel.mappings = vec![json!({
            "type": "value",
            "options": {
                "0": { "text": bad, "color": "red", "index": 0 },
                "1": { "text": good, "color": "green", "index": 1 },
            },
        })];
        panel
    }

    /// A colour for each series of a name.
    pub(crate) fn colors(mut self, of: &[(&'static str, &'static str)]) -> Self {
        self.overrides.extend(of.iter().map(|(name, color)| {
            let color = json!({ "id": "color", "value": { "mode": "fixed", "fixedColor": color } });
            json!({ "matcher": { "id": "byRegexp", "options": format!("/^{name}$/") }, "properties": [color] })
        }));
        self
    }

    /// Properties of a table's column, by its final name.
    pub(crate) fn column(mut self, name: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<_> = properties.iter().map(|(id, value)| json!({ "id": id, "value": value })).collect();
        self.overrides.push(json!({ "matcher": { "id": "byName", "options": name }, "properties": properties }));
        self
    }

    /// A table's columns from left to right: the field and its heading. All others are left out.
    pub(crate) fn columns(mut self, columns: &[(&str, &str)]) -> Self {
        if self.queries.len() > 1 {
            self.transformations.push(json!({ "id": "merge", "options": {} }));
        }
        let names: Vec<_> = columns.iter().map(|(field, _)| field).collect();
        self.transformations.push(json!({ "id": "filterFieldsByName", "options": { "include": { "names": names } } }));
        let order: serde_json::Map<_, _> =
            columns.iter().enumerate().map(|(index, (field, _))| ((*field).to_owned(), json!(index))).collect();
        let headings: serde_json::Map<_, _> =
            columns.iter().map(|(field, heading)| ((*field).to_owned(), json!(heading))).collect();
        self.transformations.push(json!({
            "id": "organize",
            "options": { "excludeByName": {}, "indexByName": order, "renameByName": headings },
        }));
        self
    }

    /// The panel in Grafana's JSON, at a place of the grid.
    pub(crate) fn json(&self, id: usize, x: u64, y: u64) -> Value {
        let steps: Vec<_> = self.steps.iter().map(|(from, color)| json!({ "color": color, "value": from })).collect();
        let mut defaults = json!({
            "color": self.color(),
            "custom": self.look.custom(self.steps.len() > 1),
            "mappings": self.mappings,
            "thresholds": { "mode": "absolute", "steps": steps },
            "unit": self.unit,
        });
        for (key, value) in [("min", self.min.map(Value::from)), ("max", self.max.map(Value::from))] {
            if let Some(value) = value {
                defaults[key] = value;
            }
        }
        if let Some(text) = self.none {
            defaults["noValue"] = json!(text);
        }
        json!({
            "id": id,
            "type": self.look.kind(),
            "title": self.title,
            "description": self.description,
            "datasource": datasource(),
            "gridPos": { "x": x, "y": y, "w": self.width, "h": self.height },
            "fieldConfig": { "defaults": defaults, "overrides": self.overrides },
            "options": self.look.options(self.queries.iter().any(|query| !query.legend.is_empty())),
            "pluginVersion": "10.0.0",
            "targets": self.targets(),
            "transformations": self.transformations,
        })
    }

    fn targets(&self) -> Vec<Value> {
        let targets = self.queries.iter().zip('A'..='Z').map(|(query, letter)| {
            let mut target = json!({
                "refId": letter.to_string(),
                "datasource": datasource(),
                "editorMode": "code",
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": self.look.is_of_now(),
                "range": !self.look.is_of_now(),
                "format": if self.look == Look::Table { "table" } else { "time_series" },
            });
            if self.look == Look::Bars {
                // No bar is narrower, so that each holds several scrapes.
                target["interval"] = json!("1m");
            }
            target
        });
        targets.collect()
    }

    fn color(&self) -> Value {
        let by_value = self.look.is_of_now() || self.look == Look::Timeline || self.steps.len() > 1;
        json!({ "mode": if by_value { "thresholds" } else { "palette-classic" } })
    }
}
