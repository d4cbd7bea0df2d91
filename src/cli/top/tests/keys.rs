use super::*;
use crate::{
    cli::top::model::{Cuts, Dialog, Pane, Sort, Verb},
    control::api::Change,
};

fn names(model: &Model) -> Vec<&str> {
    crate::cli::top::rows::rows(model).into_iter().map(|row| row.tunnel.name.as_str()).collect()
}

#[test]
fn keys_move_between_tunnels_and_panes() {
    let mut model = model(80, 24);
    for (keys, cursor, focus) in [
        ("", "api", Pane::Tunnels),
        ("j", "docs", Pane::Tunnels),
        ("jjjj", "web", Pane::Tunnels),
        ("k", "docs", Pane::Tunnels),
        ("g", "api", Pane::Tunnels),
        ("G", "web", Pane::Tunnels),
        ("e", "web", Pane::Events),
        ("l", "web", Pane::Log),
    ] {
        press(&mut model, keys);
        assert_eq!((model.cursor.as_deref(), model.focus), (Some(cursor), focus), "{keys}");
    }
    update(&mut model, key(KeyCode::Enter));
    assert_eq!(model.focus, Pane::Detail);
    update(&mut model, key(KeyCode::Tab));
    assert_eq!(model.focus, Pane::Events);
    update(&mut model, key(KeyCode::Esc));
    assert_eq!((model.focus, model.below), (Pane::Tunnels, Pane::Events));
}

#[test]
fn tunnels_are_sorted_and_the_selected_one_stays_selected() {
    let mut model = model(80, 24);
    press(&mut model, "j");
    for (sort, expected) in [
        (Sort::Name, ["api", "docs", "web"]),
        (Sort::State, ["api", "docs", "web"]),
        (Sort::Requests, ["web", "api", "docs"]),
        (Sort::Errors, ["api", "web", "docs"]),
        (Sort::Restarts, ["web", "api", "docs"]),
        (Sort::Name, ["api", "docs", "web"]),
    ] {
        assert_eq!(model.sort, sort);
        assert_eq!(names(&model), expected, "{sort:?}");
        assert_eq!(model.cursor.as_deref(), Some("docs"));
        press(&mut model, "s");
    }
}

#[test]
fn a_filter_finds_names_states_and_hostnames() {
    for (filter, expected) in [
        ("WEB", vec!["web"]),
        ("degr", vec!["api"]),
        ("example.net", vec!["docs"]),
        ("example", vec!["api", "docs", "web"]),
        ("nothing", vec![]),
    ] {
        let mut model = model(80, 24);
        press(&mut model, &format!("/{filter}"));
        update(&mut model, key(KeyCode::Enter));
        assert_eq!(names(&model), expected, "{filter}");
        assert_eq!(model.cursor.as_deref(), expected.first().copied(), "the cursor is on what is shown");
        update(&mut model, key(KeyCode::Esc));
        assert_eq!(names(&model).len(), 3, "esc takes the filter away");
    }
}

#[test]
fn a_letter_of_the_filter_is_no_key() {
    let mut model = model(80, 24);
    assert_eq!(press(&mut model, "/qr"), []);
    assert_eq!(model.filter, "qr");
    update(&mut model, key(KeyCode::Backspace));
    assert_eq!(model.filter, "q");
}

#[test]
fn the_scope_hides_other_tunnels_and_their_events() {
    let mut model = Model::new(now(), (80, 24), Some("d*".parse().unwrap()));
    update(&mut model, Message::Status(Box::new(serde_json::from_value(status()).unwrap())));
    update(&mut model, event(1, "web", "x", "info", None, "not shown"));
    update(&mut model, event(2, "docs", "x", "info", None, "shown"));
    assert_eq!(names(&model), ["docs"]);
    assert_eq!(model.data.events.len(), 1);
}

#[test]
fn a_change_is_asked_about_with_what_it_would_cut_and_done_once() {
    for (pressed, verb) in [('r', Verb::Restart), ('d', Verb::Stop)] {
        let mut model = model(80, 24);
        assert_eq!(press(&mut model, &pressed.to_string()), [Effect::Plan("api".to_owned())]);
        // Typed ahead: what would be cut is not there to be read yet.
        assert_eq!(press(&mut model, "y"), []);
        update(&mut model, Message::Planned("other".to_owned(), Ok(Vec::new())));
        assert_eq!(press(&mut model, "y"), []);
        update(&mut model, Message::Planned("api".to_owned(), Ok(Vec::new())));
        // Another key is no answer.
        assert_eq!(press(&mut model, "rdjx"), []);
        assert_eq!(press(&mut model, "yy"), [Effect::Do(verb, "api".to_owned())]);
        update(&mut model, Message::Done(verb, "api".to_owned(), Ok(Change::Accepted)));
        assert_eq!(model.dialog, None);
        assert!(model.notice.unwrap().ends_with("of tunnel \"api\": accepted"));
    }
}

#[test]
fn a_stop_says_that_nothing_takes_the_connectors_place() {
    let mut model = model(80, 24);
    press(&mut model, "d");
    let replaced =
        json!({ "tunnel": "api", "replica": 0, "pid": 1, "why": "operator", "open_requests": 1, "cut_after_millis": 1000 });
    update(&mut model, Message::Planned("api".to_owned(), Ok(vec![serde_json::from_value(replaced).unwrap()])));
    let Some(Dialog::Confirm(confirm)) = &model.dialog else { panic!("{:?}", model.dialog) };
    let Cuts::Known(cuts) = &confirm.cuts else { panic!("{confirm:?}") };
    assert!(cuts[0].sentence().contains("is stopped: 1 request is open"), "{}", cuts[0].sentence());
}

#[test]
fn a_question_that_is_answered_with_no_does_nothing() {
    for code in [KeyCode::Char('n'), KeyCode::Char('q'), KeyCode::Esc] {
        let mut model = model(80, 24);
        press(&mut model, "S");
        assert!(matches!(model.dialog, Some(Dialog::Confirm(_))));
        assert_eq!(update(&mut model, key(code)), []);
        assert_eq!(model.dialog, None);
    }
}

#[test]
fn a_refusal_is_told_with_its_hint_and_goes_away_with_any_key() {
    let mut model = model(80, 24);
    press(&mut model, "Sy");
    let refusal = vec!["cannot start tunnel \"api\"".to_owned(), "hint: ask alice".to_owned()];
    update(&mut model, Message::Done(Verb::Start, "api".to_owned(), Err(refusal)));
    let text = screen(&model, RICH);
    assert!(text.contains("start api: not done") && text.contains("hint: ask alice"), "{text}");
    press(&mut model, "q");
    assert_eq!(model.dialog, None);
}

#[test]
fn a_viewer_is_told_why_a_key_does_nothing() {
    let mut model = model(80, 24);
    update(&mut model, who("viewer"));
    for pressed in ["r", "d", "S"] {
        assert_eq!(press(&mut model, pressed), [], "{pressed}");
        let Some(Dialog::Told(_, lines)) = model.dialog.take() else { panic!("{pressed}: nothing is told") };
        assert!(lines[0].contains("needs role \"operator\""), "{lines:?}");
    }
}

#[test]
fn the_log_is_followed_only_while_it_is_shown() {
    let mut model = model(80, 24);
    let follow = |tunnel: Option<&str>| Effect::FollowLog(tunnel.map(str::to_owned));
    assert_eq!(press(&mut model, "l"), [follow(Some("api"))]);
    update(&mut model, line(1, "api", "kept"));
    update(&mut model, line(1, "web", "of another tunnel"));
    assert_eq!(model.data.log.lines.len(), 1);
    update(&mut model, key(KeyCode::Esc));
    assert_eq!(press(&mut model, "j"), [follow(Some("docs"))]);
    assert_eq!(model.data.log.lines.len(), 0);
    assert_eq!(press(&mut model, "e"), [follow(None)]);
    update(&mut model, Message::Resized(120, 40));
    assert_eq!(model.data.log.tunnel.as_deref(), Some("docs"), "a large terminal shows it all the time");
}

#[test]
fn a_paused_view_stands_still_while_the_world_goes_on() {
    let mut model = model(80, 24);
    press(&mut model, "p");
    let before = screen(&model, RICH);
    update(&mut model, event(9, "web", "x", "info", None, "something new"));
    update(&mut model, Message::Clock(now() + jiff::SignedDuration::from_secs(3)));
    assert_eq!(screen(&model, RICH), before);
    press(&mut model, "p");
    assert!(screen(&model, RICH).contains("something new"));
}

#[test]
fn events_that_come_again_after_a_break_are_kept_once() {
    let mut model = model(80, 24);
    update(&mut model, event(3, "api", "connector-degraded", "warn", None, "again"));
    assert_eq!(model.data.events.len(), 3);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut model = model(80, 24);
    press(&mut model, "l");
    for id in 10..2_000 {
        update(&mut model, event(id, "web", "x", "info", None, "x"));
        update(&mut model, line(id, "api", "x"));
    }
    assert_eq!(model.data.events.len(), crate::cli::top::model::EVENTS_MAX);
    assert_eq!(model.data.log.lines.len(), crate::cli::top::model::LINES_MAX);
}

#[test]
fn control_keys_quit_stop_and_draw_anew_whatever_is_open() {
    let control = |char| Message::Key(KeyEvent::new(KeyCode::Char(char), KeyModifiers::CONTROL));
    for keys in ["", "?", "/", "r"] {
        let mut model = model(80, 24);
        press(&mut model, keys);
        assert_eq!(update(&mut model, control('c')), [Effect::Quit]);
        assert_eq!(update(&mut model, control('z')), [Effect::Stop]);
        assert_eq!(update(&mut model, control('l')), [Effect::Redraw]);
    }
}
