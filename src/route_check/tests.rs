//! The planner on a clock of its own, and the laws that hold whatever happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proptest::{collection::vec, prelude::*};
use rand::{SeedableRng, rngs::SmallRng};

use super::*;
use crate::{
    config::{Source, parse},
    connector::testing::start_of_time,
};

const PERIOD: Duration = Duration::from_secs(30);

fn schedule() -> Schedule {
    Schedule { origin: PERIOD, outside: 2 * PERIOD }
}

fn connect(port: u16) -> Question {
    Question::Connect(Place::Tcp(url::Host::Domain("localhost".to_owned()), port))
}

fn visit(hostname: &str) -> Question {
    Question::Visit { hostname: hostname.parse().unwrap(), path: "/".to_owned(), expect: None }
}

fn key(number: u16) -> RouteKey {
    RouteKey { hostname: Some(format!("a{number}.example.com").parse().unwrap()), path: None }
}

fn web() -> TunnelName {
    "web".parse().unwrap()
}

fn outcome(answer: Answer) -> Outcome {
    Outcome { answer, reason: Reason::new("because", "it is so"), took: Duration::from_millis(1) }
}

/// A planner and its clock.
struct Run {
    planner: Planner,
    now: Instant,
    rng: SmallRng,
}

impl Run {
    fn new() -> Self {
        Self { planner: Planner::new(schedule()), now: start_of_time(), rng: SmallRng::seed_from_u64(1) }
    }

    fn want(&mut self, questions: &[(Question, u16)]) -> Vec<Notice> {
        let mut wanted = Wanted::default();
        for (question, route) in questions {
            wanted.add(question.clone(), &web(), key(*route));
        }
        self.planner.want(schedule(), wanted, self.now, &mut self.rng)
    }

    /// Waits until something is due, and gives how long that took.
    fn next(&mut self) -> (Duration, Vec<(u64, Question)>) {
        let at = self.planner.next_at().expect("something is wanted");
        let waited = at.saturating_duration_since(self.now);
        self.now = self.now.max(at);
        (waited, self.planner.due(self.now))
    }

    /// The next question is answered so: what is told of it, and how long it took until it was asked.
    fn answer(&mut self, answer: Answer) -> (Duration, Vec<Notice>) {
        let (waited, due) = self.next();
        let [(id, _)] = due.as_slice() else { panic!("one question is wanted: {due:?}") };
        (waited, self.planner.report(*id, outcome(answer), self.now, &mut self.rng))
    }
}

fn states(notices: &[Notice]) -> Vec<(&'static str, CheckState)> {
    let told = notices.iter().map(|notice| match &notice.happening {
        Happening::Read(finding) => ("read", finding.state),
        Happening::Turned(finding) => ("turned", finding.state),
        Happening::Began => ("began", CheckState::Unknown),
        Happening::Ended => ("ended", CheckState::Unknown),
        Happening::Expired => ("expired", CheckState::Unknown),
    });
    told.collect()
}

fn is_about(waited: Duration, period: Duration) -> bool {
    (period.mul_f64(0.9)..=period.mul_f64(1.1)).contains(&waited)
}

#[test]
fn a_hundred_routes_to_one_origin_are_one_question_and_one_notice() {
    let mut run = Run::new();
    let routes: Vec<(Question, u16)> = (0..100).map(|route| (connect(80), route)).collect();
    let began = run.want(&routes);
    assert_eq!((began.len(), began[0].routes.len()), (1, 100));
    let (waited, told) = run.answer(Answer::Good);
    assert!(waited <= Duration::from_millis(500), "{waited:?}");
    assert_eq!(states(&told), [("read", CheckState::Up)]);
    assert_eq!(told[0].routes.len(), 100);
    assert!(is_about(run.answer(Answer::Good).0, PERIOD));
}

#[test]
fn an_origin_that_goes_up_and_down_all_the_time_is_told_of_now_and_again_and_at_last_as_it_is() {
    let mut run = Run::new();
    run.want(&[(connect(80), 1)]);
    let (start, mut told) = (run.now, Vec::new());
    while run.now < start + Duration::from_secs(3_600) {
        for answer in [Answer::Bad, Answer::Bad, Answer::Good] {
            told.extend(run.answer(answer).1.into_iter().filter(|notice| matches!(notice.happening, Happening::Turned(_))));
        }
    }
    assert!((8..=16).contains(&told.len()), "{}", told.len());
    let mut last = states(&told).pop();
    while run.now < start + Duration::from_secs(4_000) {
        let now = states(&run.answer(Answer::Good).1).pop();
        last = now.filter(|(happening, _)| *happening == "turned").or(last);
    }
    assert_eq!(last, Some(("turned", CheckState::Up)));
}

#[test]
fn of_a_thousand_origins_that_go_down_together_the_first_are_told_and_all_are_known() {
    let mut run = Run::new();
    run.want(&(1..=1_000).map(|port| (connect(port), port)).collect::<Vec<_>>());
    let (start, mut known, mut told) = (run.now, BTreeSet::new(), 0_usize);
    while run.now < start + 4 * PERIOD {
        for (id, question) in run.next().1 {
            let notices = run.planner.report(id, outcome(Answer::Bad), run.now, &mut run.rng);
            told += notices.iter().filter(|notice| matches!(notice.happening, Happening::Turned(_))).count();
            if states(&notices).iter().all(|(_, state)| *state == CheckState::Down) {
                known.insert(question);
            }
        }
    }
    assert_eq!(known.len(), 1_000);
    assert!((100..=130).contains(&told), "{told}");
}

#[test]
fn a_first_failure_is_asked_about_soon_and_a_second_one_is_told() {
    let mut run = Run::new();
    run.want(&[(connect(80), 1)]);
    run.answer(Answer::Good);
    assert_eq!(states(&run.answer(Answer::Bad).1), [("read", CheckState::Up)]);
    let (waited, told) = run.answer(Answer::Bad);
    assert!(is_about(waited, PERIOD / 6), "{waited:?}");
    assert_eq!(states(&told), [("turned", CheckState::Down)]);
    let (waited, told) = run.answer(Answer::Bad);
    assert!(is_about(waited, PERIOD), "{waited:?}");
    assert_eq!(states(&told), [("read", CheckState::Down)]);
    assert_eq!(states(&run.answer(Answer::Good).1), [("turned", CheckState::Up)]);
}

#[test]
fn a_hostname_that_is_new_fails_only_after_its_first_minutes() {
    let mut run = Run::new();
    run.want(&[(visit("a1.example.com"), 1)]);
    let began = run.now;
    while run.now < began + Duration::from_secs(270) {
        let (_, told) = run.answer(Answer::Missing);
        assert_eq!(states(&told), [("read", CheckState::Pending)]);
    }
    let told = (0..5).map(|_| run.answer(Answer::Missing).1).find(|told| states(told) == [("turned", CheckState::Down)]);
    assert!(told.is_some() && run.now < began + Duration::from_secs(400));
    // What was reached once is not new any more.
    let mut run = Run::new();
    run.want(&[(visit("a1.example.com"), 1)]);
    run.answer(Answer::Good);
    run.answer(Answer::Missing);
    assert_eq!(states(&run.answer(Answer::Missing).1), [("turned", CheckState::Down)]);
}

#[test]
fn a_route_that_moves_to_another_origin_is_checked_there_at_once() {
    let mut run = Run::new();
    run.want(&[(connect(80), 1), (connect(80), 2)]);
    run.answer(Answer::Good);
    let told = run.want(&[(connect(80), 1), (connect(81), 2)]);
    assert_eq!(states(&told), [("ended", CheckState::Unknown), ("began", CheckState::Unknown)]);
    assert!(told.iter().all(|notice| notice.routes == [key(2)]));
    let (waited, due) = run.next();
    assert!(waited <= Duration::from_millis(500) && due.len() == 1 && due[0].1 == connect(81), "{due:?}");
    // One that joins a question learns of it soon too.
    let told = run.want(&[(connect(80), 1), (connect(80), 3), (connect(81), 2)]);
    assert_eq!(states(&told), [("began", CheckState::Unknown)]);
    assert!(run.next().0 <= Duration::from_millis(500));
}

#[test]
fn what_is_not_wanted_any_more_is_told_to_nobody() {
    let mut run = Run::new();
    run.want(&[(connect(80), 1)]);
    let (_, due) = run.next();
    assert_eq!(states(&run.want(&[])), [("ended", CheckState::Unknown)]);
    assert_eq!(run.planner.next_at(), None);
    assert_eq!(run.planner.report(due[0].0, outcome(Answer::Bad), run.now, &mut run.rng), []);
    assert_eq!(run.planner.next_at(), None);
}

#[test]
fn a_shorter_period_holds_at_once() {
    let mut run = Run::new();
    let hour = Duration::from_secs(3_600);
    let mut wanted = Wanted::default();
    wanted.add(connect(80), &web(), key(1));
    let long = Schedule { origin: hour, outside: hour };
    run.planner.want(long, wanted.clone(), run.now, &mut run.rng);
    run.answer(Answer::Good);
    run.planner.want(schedule(), wanted, run.now, &mut run.rng);
    assert!(run.next().0 <= PERIOD.mul_f64(1.1));
}

#[test]
fn a_thousand_origins_are_spread_and_those_that_hang_hold_up_nobody() {
    let mut run = Run::new();
    let routes: Vec<(Question, u16)> = (0..1_000).map(|port| (connect(port), port)).collect();
    run.want(&routes);
    // Half of them hang: their answers take five seconds. The others take none.
    let mut asked: BTreeMap<u16, Vec<Instant>> = BTreeMap::new();
    let mut hanging: BTreeSet<(Instant, u64)> = BTreeSet::new();
    let mut most_at_once = 0;
    let began = run.now;
    while run.now < began + 10 * PERIOD {
        for (id, question) in run.planner.due(run.now) {
            let Question::Connect(Place::Tcp(_, port)) = question else { panic!("{question:?}") };
            asked.entry(port).or_default().push(run.now);
            if port < 500 {
                hanging.insert((run.now + Duration::from_secs(5), id));
            } else {
                run.planner.report(id, outcome(Answer::Good), run.now, &mut run.rng);
            }
        }
        most_at_once = most_at_once.max(hanging.len());
        let next = run.planner.next_at().into_iter().chain(hanging.first().map(|(at, _)| *at)).min().unwrap();
        run.now = run.now.max(next);
        while let Some((at, id)) = hanging.first().copied()
            && at <= run.now
        {
            hanging.remove(&(at, id));
            run.planner.report(id, outcome(Answer::Bad), run.now, &mut run.rng);
        }
    }
    assert!(most_at_once <= 160, "{most_at_once}");
    let longest = |ports: std::ops::Range<u16>, after: Duration| {
        let waits = ports.flat_map(|port| {
            let times = asked[&port].iter().filter(|at| **at > began + after).copied().collect::<Vec<_>>();
            times.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
        });
        waits.max().unwrap()
    };
    // What was not asked yet shares a lane with those that turn out to hang.
    assert!(longest(500..1_000, 4 * PERIOD) <= PERIOD.mul_f64(1.1) + Duration::from_secs(1));
    assert!(longest(0..500, 4 * PERIOD) <= 3 * PERIOD + Duration::from_secs(10), "their results stay fresh");
    let mut by_second: BTreeMap<u64, usize> = BTreeMap::new();
    asked.values().flatten().for_each(|at| *by_second.entry(at.duration_since(began).as_secs()).or_default() += 1);
    assert!(by_second.values().all(|count| *count <= 150), "{by_second:?}");
}

#[test]
fn questions_are_what_the_configuration_says() {
    let text = "\
[accounts.default]
api_token = { credential = 'token' }
[tunnels.web]
health = { origin = { http = '/healthz' }, outside = 'on' }
originRequest = { noTLSVerify = true }
ingress = [
  { hostname = 'a.example.com', path = '^/api', service = 'http://localhost:1' },
  { hostname = 'a.example.com', service = 'https://localhost:2', originRequest = { httpHostHeader = 'inner' } },
  { hostname = '*.dev.example.com', service = 'unix:/srv/dev.sock' },
  { hostname = 'ssh.example.com', service = 'ssh://localhost' },
  { hostname = 'test.example.com', service = 'hello_world' },
  { hostname = 'bastion.example.com', service = 'bastion' },
  { service = 'http_status:404' },
]
";
    let config = parse(&[Source { path: "adit.toml".into(), text: text.to_owned() }]).unwrap();
    let tunnel = &config.tunnels[&web()];
    let asked: Vec<(String, Option<String>)> = tunnel
        .ingress
        .iter()
        .map(|rule| {
            let origin = Question::of_origin(tunnel, rule).map(|question| match &question {
                Question::Ask { host, asking, .. } => {
                    format!("{question} as {} {}", host.as_deref().unwrap_or("-"), asking.no_verify)
                }
                Question::Connect(_) | Question::Visit { .. } => question.to_string(),
            });
            (origin.unwrap_or_default(), Question::of_hostname(tunnel, rule).map(|question| question.to_string()))
        })
        .collect();
    let expected = [
        ("http://localhost:1 as a.example.com true", None),
        ("https://localhost:2 as inner true", Some("https://a.example.com/")),
        ("unix:/srv/dev.sock as - true", None),
        ("localhost:22", None),
        ("", Some("https://test.example.com/")),
        ("", None),
        ("", None),
    ];
    let expected: Vec<_> = expected.map(|(origin, outside)| (origin.to_owned(), outside.map(str::to_owned))).into();
    assert_eq!(asked, expected);
}

/// Something that happens to a planner.
#[derive(Debug, Clone)]
enum Move {
    /// These ports are wanted, each by a route of its own number and, if so, by the next one too.
    Want(Vec<(u16, bool)>),
    /// So much time goes by.
    Wait(u64),
    /// One of the open questions is answered.
    Answer(usize, bool),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        1 => vec((0_u16..6, any::<bool>()), 0..6).prop_map(Move::Want),
        4 => (0_u64..40_000).prop_map(Move::Wait),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, good)| Move::Answer(which, good)),
    ];
    vec(one, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_question_is_open_once_and_told_to_those_who_want_it(moves in moves(), seed in any::<u64>()) {
        let mut run = Run { rng: SmallRng::seed_from_u64(seed), ..Run::new() };
        let mut open: Vec<(u64, Question)> = Vec::new();
        // The routes that were told to have begun, and what is known of each question.
        let mut begun: BTreeSet<(String, RouteKey)> = BTreeSet::new();
        let mut wanted: BTreeSet<Question> = BTreeSet::new();
        for one in moves {
            let told = match one {
                Move::Want(ports) => {
                    let list: Vec<(Question, u16)> = ports
                        .iter()
                        .flat_map(|(port, twice)| [Some((connect(*port), *port)), twice.then(|| (connect(*port), port + 100))])
                        .flatten()
                        .collect();
                    wanted = list.iter().map(|(question, _)| question.clone()).collect();
                    run.want(&list)
                }
                Move::Wait(millis) => {
                    run.now += Duration::from_millis(millis);
                    for (id, question) in run.planner.due(run.now) {
                        prop_assert!(wanted.contains(&question), "nobody wants {question}");
                        prop_assert!(open.iter().all(|(other, _)| *other != id), "{question} is asked twice at once");
                        open.push((id, question));
                    }
                    Vec::new()
                }
                Move::Answer(which, good) if !open.is_empty() => {
                    let (id, _) = open.swap_remove(which % open.len());
                    let answer = if good { Answer::Good } else { Answer::Bad };
                    run.planner.report(id, outcome(answer), run.now, &mut run.rng)
                }
                Move::Answer(..) => Vec::new(),
            };
            for notice in told {
                for route in notice.routes {
                    let entry = (notice.asked.clone(), route);
                    match notice.happening {
                        Happening::Began => prop_assert!(begun.insert(entry), "it began twice"),
                        Happening::Ended => prop_assert!(begun.remove(&entry), "it ended and had not begun"),
                        Happening::Read(_) | Happening::Turned(_) => prop_assert!(begun.contains(&entry), "nobody asked for {entry:?}"),
                        Happening::Expired => prop_assert!(false, "the planner knows no age"),
                    }
                }
            }
            // Whatever is wanted and not open comes within a period.
            let waiting = wanted.iter().any(|question| open.iter().all(|(_, other)| other != question));
            if waiting {
                let next = run.planner.next_at();
                prop_assert!(next.is_some_and(|at| at <= run.now + PERIOD.mul_f64(1.1)), "{next:?}");
            }
        }
    }
}
