use proptest::prelude::*;
use ratatui::style::Color;

use super::*;
use crate::cli::top::model::Pane;

#[test]
fn a_usual_terminal_shows_tunnels_and_events() {
    insta::assert_snapshot!("tunnels_80x24", screen(&model(80, 24), RICH));
}

#[test]
fn a_large_terminal_shows_everything_at_once() {
    let mut model = model(120, 40);
    press(&mut model, "jj");
    update(&mut model, line(1, "web", "info Registered tunnel connection connIndex=0"));
    insta::assert_snapshot!("everything_120x40", screen(&model, RICH));
}

#[test]
fn a_small_terminal_shows_one_pane_in_its_most_needed_columns() {
    let mut model = model(40, 12);
    insta::assert_snapshot!("tunnels_40x12", screen(&model, RICH));
    update(&mut model, key(KeyCode::Enter));
    insta::assert_snapshot!("detail_40x12", screen(&model, RICH));
}

#[test]
fn details_tell_connectors_and_routes() {
    let mut model = model(80, 24);
    press(&mut model, "jj");
    update(&mut model, key(KeyCode::Enter));
    insta::assert_snapshot!("detail_80x24", screen(&model, RICH));
}

#[test]
fn a_question_shows_what_would_be_cut() {
    let mut model = model(80, 24);
    press(&mut model, "jjr");
    let replaced = serde_json::from_value(json!({
        "tunnel": "web", "replica": 0, "pid": 4711, "why": "operator", "open_requests": 2, "cut_after_millis": 30_000,
    }));
    update(&mut model, Message::Planned("web".to_owned(), Ok(vec![replaced.unwrap()])));
    insta::assert_snapshot!("restart_80x24", screen(&model, RICH));
    model.size = (40, 12);
    insta::assert_snapshot!("restart_40x12", screen(&model, RICH));
}

#[test]
fn a_poor_terminal_is_shown_ascii_without_colours() {
    let poor = Ability { colour: false, unicode: false };
    let text = screen(&model(80, 24), poor);
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains("- tunnels 3 --") || text.contains(" tunnels 3 ---"), "{text}");
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let frame = terminal
        .draw(|frame| {
            view::draw(frame, &model(80, 24));
            adapt(frame.buffer_mut(), poor);
        })
        .unwrap();
    assert!(frame.buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn what_is_foreign_does_nothing_to_the_terminal() {
    let bad = "\u{1b}]0;title\u{7}\u{1b}[2Jred\u{202e}\u{2066}\u{9b}31m\r\nend";
    for size in [(40, 12), (80, 24), (120, 40)] {
        let mut model = model(size.0, size.1);
        let mut status = status();
        status["health"]["reasons"][0]["sentence"] = json!(bad);
        status["accounts"][0]["holds"] = json!([{ "code": "x", "sentence": bad }]);
        for (place, value) in [("origin", json!(bad)), ("drift", json!({ "code": "x", "sentence": bad }))] {
            status["tunnels"][0][place] = value;
        }
        status["tunnels"][0]["routes"][0]["reason"] = json!(bad);
        status["tunnels"][0]["connectors"][0]["reason"] = json!({ "code": "x", "sentence": bad });
        update(&mut model, Message::Status(Box::new(serde_json::from_value(status).unwrap())));
        update(&mut model, event(9, "api", bad, "error", Some(bad), bad));
        update(&mut model, who("admin"));
        for pane in [Pane::Tunnels, Pane::Detail, Pane::Events, Pane::Log] {
            (model.focus, model.below) = (pane, if pane == Pane::Tunnels { Pane::Events } else { pane });
            update(&mut model, Message::Clock(now()));
            update(&mut model, line(1, "api", bad));
            assert_harmless(&screen(&model, RICH));
        }
        update(&mut model, Message::NoLog("api".to_owned(), bad.to_owned()));
        assert_harmless(&screen(&model, RICH));
        press(&mut model, "r");
        update(&mut model, Message::Planned("api".to_owned(), Err(bad.to_owned())));
        assert_harmless(&screen(&model, RICH));
        update(&mut model, Message::Lost(bad.to_owned()));
        assert_harmless(&screen(&model, RICH));
    }
}

fn assert_harmless(text: &str) {
    let active = |char: char| char != '\n' && (char.is_control() || matches!(char, '\u{202e}' | '\u{2066}'));
    assert!(!text.contains(active), "{text:?}");
}

#[test]
fn waiting_for_the_daemon_is_told_with_what_was_known_last() {
    let mut model = model(80, 24);
    update(&mut model, Message::Lost("cannot reach the daemon".to_owned()));
    update(&mut model, Message::Clock(now() + jiff::SignedDuration::from_secs(9)));
    let text = screen(&model, RICH);
    assert!(text.starts_with("waiting for the daemon for 9s: cannot reach the daemon"), "{text}");
    assert!(text.contains("web      ready"), "{text}");
    update(&mut model, Message::Status(Box::new(serde_json::from_value(status()).unwrap())));
    assert!(!screen(&model, RICH).contains("waiting for the daemon"));
    // A daemon that hangs sends no error.
    update(&mut model, Message::Clock(now() + jiff::SignedDuration::from_secs(19)));
    assert!(screen(&model, RICH).contains("waiting for the daemon: its last answer is 10s old"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_size_and_no_keys_make_it_panic(
        sizes in prop::collection::vec((0_u16..160, 0_u16..60), 1..4),
        keys in "[jkgGheslp/a-z?rdSyn]{0,20}",
        text in "\\PC{0,300}",
    ) {
        let mut model = model(80, 24);
        for (columns, lines) in sizes {
            update(&mut model, Message::Resized(columns, lines));
            press(&mut model, &keys);
            for code in [KeyCode::Tab, KeyCode::Enter, KeyCode::PageUp, KeyCode::End, KeyCode::Backspace] {
                update(&mut model, key(code));
            }
            update(&mut model, event(100, "web", "x", "info", None, &text));
            update(&mut model, line(7, "api", &text));
            screen(&model, RICH);
        }
    }
}
