//! A plan as people and programs see it.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer, ser::SerializeStruct};
use sha2::{Digest, Sha256};

use super::{Plan, Step};
use crate::{counted::counted, hexadecimal::hexadecimal, name::AccountName};

/// The plans of all accounts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plans(pub BTreeMap<AccountName, Plan>);

/// What names a plan: two plans with the same hash do the same. Sixteen hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PlanHash(String);

impl PlanHash {
    /// The hash that somebody gave; any other text names no plan.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What names a value that is shown before something is done with it.
    pub(super) fn of(value: &impl Serialize) -> Self {
        let digest = Sha256::digest(serde_json::to_vec(value).expect("what is shown has a JSON form"));
        Self(hexadecimal(&digest[..8]))
    }

    fn of_plans(accounts: &[(&AccountName, &Plan)]) -> Self {
        let changes: Vec<(&AccountName, &Vec<Step>, &Vec<Step>)> =
            accounts.iter().map(|(account, plan)| (*account, &plan.steps, &plan.waiting)).collect();
        Self::of(&changes)
    }
}

impl Plan {
    /// What names this plan.
    pub fn hash(&self) -> PlanHash {
        PlanHash::of_plans(&[(&self.account, self)])
    }
}

impl Plans {
    /// Whether there is nothing to do anywhere.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Plan::is_empty)
    }

    /// Whether every step of these plans is one of `whole`'s.
    pub fn is_part_of(&self, whole: &Self) -> bool {
        self.0.iter().all(|(account, plan)| {
            let known = whole.0.get(account);
            let mut steps = plan.steps.iter().chain(&plan.waiting);
            steps.all(|step| known.is_some_and(|known| known.steps.contains(step) || known.waiting.contains(step)))
        })
    }

    /// What names these plans.
    pub fn hash(&self) -> PlanHash {
        PlanHash::of_plans(&self.0.iter().collect::<Vec<_>>())
    }
}

impl Serialize for Plans {
    /// `{"hash": …, "changes": BOOL, "plans": [PLAN, …]}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Plans", 3)?;
        object.serialize_field("hash", &self.hash())?;
        object.serialize_field("changes", &!self.is_empty())?;
        object.serialize_field("plans", &self.0.values().collect::<Vec<_>>())?;
        object.end()
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Display for Plan {
    /// One line for each step, then what waits and why, indented by two; a summary at the end.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "account {}", self.account)?;
        let waits = std::iter::repeat_n("", self.steps.len()).chain(std::iter::repeat(" (waits for a confirmation)"));
        for (index, (step, waits)) in self.steps.iter().chain(&self.waiting).zip(waits).enumerate() {
            writeln!(formatter, "  {step}{waits}")?;
            for line in self.changes.get(index).map(|change| change.lines.as_slice()).unwrap_or_default() {
                writeln!(formatter, "      {line}")?;
            }
        }
        for conflict in &self.conflicts {
            writeln!(formatter, "  ! {conflict}")?;
        }
        for hold in &self.holds {
            writeln!(formatter, "  ? {hold}")?;
        }
        for note in &self.notes {
            writeln!(formatter, "  # {note}")?;
        }
        writeln!(formatter, "  {}", self.summary())
    }
}

impl Plan {
    /// `2 to add, 1 to change, 0 to delete`, and what is not done.
    pub fn summary(&self) -> String {
        let count = |sign: char| self.steps.iter().chain(&self.waiting).filter(|step| step.sign() == sign).count();
        let mut text = match (count('+'), count('~'), count('-')) {
            (0, 0, 0) => "nothing to change".to_owned(),
            (add, change, delete) => format!("{add} to add, {change} to change, {delete} to delete"),
        };
        let mut append = |count: usize, words: String| {
            if count > 0 {
                text.push_str(&format!(", {words}"));
            }
        };
        append(self.waiting.len(), format!("{} of them waiting for a confirmation", self.waiting.len()));
        let calls = self.calls.unwrap_or(0);
        append(calls, counted(calls, "API call"));
        append(self.conflicts.len(), counted(self.conflicts.len(), "conflict"));
        append(self.holds.len(), format!("{} held", self.holds.len()));
        text
    }
}

impl fmt::Display for Plans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for plan in self.0.values() {
            plan.fmt(formatter)?;
        }
        Ok(())
    }
}
