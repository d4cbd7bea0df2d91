//! From single answers to a state: one failure may be chance, two in a row are not.

use super::{Answer, CheckState};

/// How many bad answers in a row turn a state down, and how many of none what was known into nothing.
const FAILURES_TO_DOWN: u8 = 2;

/// What the answers so far come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damping {
    state: CheckState,
    failures: u8,
    /// How many times in a row nobody could tell.
    untold: u8,
    /// Whether it was told that the state is down, and not yet that it is up again.
    told_down: bool,
}

/// What one more answer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The state from here on.
    pub(super) state: CheckState,
    /// Whether it is to be told, as another one than was told last: the first good answer only ends not knowing.
    pub(super) turned: bool,
    /// Whether the next answer decides something, so that it should come soon.
    pub(super) undecided: bool,
}

impl Damping {
    pub(super) fn new() -> Self {
        Self { state: CheckState::Unknown, failures: 0, untold: 0, told_down: false }
    }

    /// Takes in an answer. While `is_new`, what is asked for may still be on its way into the world. What may not be told now is told with
    /// a later answer, if it is still so then.
    pub(super) fn take(&mut self, answer: Answer, is_new: bool, may_tell: bool) -> Step {
        let before = self.state;
        self.untold = if answer == Answer::Untold { self.untold.saturating_add(1) } else { 0 };
        match answer {
            Answer::Untold if self.untold < FAILURES_TO_DOWN => {}
            Answer::Untold => (self.state, self.failures) = (CheckState::Unknown, 0),
            Answer::Good => (self.state, self.failures) = (CheckState::Up, 0),
            Answer::Bad | Answer::Missing => {
                self.failures = self.failures.saturating_add(1);
                self.state = match before {
                    CheckState::Unknown | CheckState::Pending if is_new && answer == Answer::Missing => CheckState::Pending,
                    CheckState::Unknown | CheckState::Pending | CheckState::Up if self.failures >= FAILURES_TO_DOWN => {
                        CheckState::Down
                    }
                    CheckState::Unknown | CheckState::Pending => CheckState::Unknown,
                    CheckState::Up | CheckState::Down => before,
                };
            }
        }
        let is_news = match self.state {
            CheckState::Down => !self.told_down,
            CheckState::Up => self.told_down,
            CheckState::Unknown | CheckState::Pending => false,
        };
        let turned = is_news && may_tell;
        if turned {
            self.told_down = self.state == CheckState::Down;
        }
        let undecided = match answer {
            Answer::Good => false,
            Answer::Bad | Answer::Missing => self.state != CheckState::Down,
            Answer::Untold => self.untold < FAILURES_TO_DOWN,
        };
        Step { state: self.state, turned, undecided }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Answer::{Bad, Good, Missing, Untold};
    use CheckState::{Down, Pending, Unknown, Up};

    #[test]
    fn two_failures_turn_it_down_and_one_success_turns_it_up() {
        type Case<'a> = (&'a [(Answer, bool)], &'a [(CheckState, bool)]);
        let cases: [Case<'_>; 8] = [
            (&[(Good, false), (Good, false)], &[(Up, false), (Up, false)]),
            (&[(Good, false), (Bad, false), (Good, false)], &[(Up, false), (Up, false), (Up, false)]),
            (
                &[(Good, false), (Bad, false), (Bad, false), (Bad, false)],
                &[(Up, false), (Up, false), (Down, true), (Down, false)],
            ),
            (&[(Bad, false), (Bad, false), (Good, false)], &[(Unknown, false), (Down, true), (Up, true)]),
            (&[(Missing, true), (Missing, true), (Missing, false)], &[(Pending, false), (Pending, false), (Down, true)]),
            (&[(Missing, false), (Missing, false)], &[(Unknown, false), (Down, true)]),
            (&[(Missing, true), (Bad, true)], &[(Pending, false), (Down, true)]),
            (
                &[(Missing, true), (Good, true), (Missing, true), (Bad, true)],
                &[(Pending, false), (Up, false), (Up, false), (Down, true)],
            ),
        ];
        for (answers, expected) in cases {
            let mut damping = Damping::new();
            let steps: Vec<_> = answers.iter().map(|(answer, is_new)| damping.take(*answer, *is_new, true)).collect();
            let told: Vec<_> = steps.iter().map(|step| (step.state, step.turned)).collect();
            assert_eq!(told, expected, "{answers:?}");
        }
    }

    #[test]
    fn what_nobody_can_tell_is_unknown_and_no_failure() {
        let steps = |answers: &[Answer]| -> Vec<(CheckState, bool, bool)> {
            let mut damping = Damping::new();
            let steps = answers.iter().map(|answer| damping.take(*answer, false, true));
            steps.map(|step| (step.state, step.turned, step.undecided)).collect()
        };
        let up = [(Up, false, false), (Up, false, true), (Unknown, false, false), (Unknown, false, false), (Up, false, false)];
        assert_eq!(steps(&[Good, Untold, Untold, Untold, Good]), up);
        let down = [(Unknown, false, true), (Down, true, false), (Down, false, true), (Unknown, false, false), (Up, true, false)];
        assert_eq!(steps(&[Bad, Bad, Untold, Untold, Good]), down);
        let begun = [(Unknown, false, true), (Unknown, false, true), (Unknown, false, true), (Down, true, false)];
        assert_eq!(steps(&[Untold, Bad, Untold, Bad]), begun);
    }

    #[test]
    fn an_answer_that_decides_nothing_is_asked_for_again_soon() {
        let mut damping = Damping::new();
        let undecided: Vec<bool> =
            [Good, Bad, Bad, Bad, Good].into_iter().map(|answer| damping.take(answer, false, true).undecided).collect();
        assert_eq!(undecided, [false, true, false, false, false]);
    }

    #[test]
    fn what_may_not_be_told_is_told_later_if_it_is_still_so() {
        let told = |answers: &[(Answer, bool)]| -> Vec<bool> {
            let mut damping = Damping::new();
            answers.iter().map(|(answer, may_tell)| damping.take(*answer, false, *may_tell).turned).collect()
        };
        assert_eq!(told(&[(Bad, false), (Bad, false), (Bad, true), (Bad, true)]), [false, false, true, false]);
        assert_eq!(told(&[(Bad, false), (Bad, false), (Good, true), (Good, true)]), [false; 4]);
        assert_eq!(told(&[(Bad, true), (Bad, true), (Good, false), (Good, true)]), [false, true, false, true]);
    }
}
