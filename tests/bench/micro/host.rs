//! What is known of a host on which an account's tunnels run.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use adit::{
    connector::{Generation, Happening, Notice, Reason, SlotId, State, Vitals},
    event::{AccountView, ConnectorEvent, Event, ProvisioningEvent},
    plan::{plan, view},
    status::Status,
};
use jiff::Timestamp;

use crate::settled::Account;

/// What is told while a connector of every tunnel comes up.
pub(crate) fn events(account: &Account) -> Vec<Event> {
    let mut events = vec![seen(account)];
    for name in account.intended.config.tunnels.keys() {
        let (slot, generation) = (SlotId::new(name.clone(), 0), Generation(1));
        let metrics = "127.0.0.1:20241".parse().unwrap();
        let vitals = Vitals { connections: 4, connector_id: Some("8c1d-4f0a".parse().unwrap()), version: Some(1) };
        for (state, happening) in [
            (State::Starting, Happening::Starting { generation, restart: None }),
            (State::Starting, Happening::Started { generation, pid: 4_711, metrics }),
            (State::Ready, Happening::Ready { generation, vitals, after: Duration::from_secs(1) }),
        ] {
            let reason = Reason::new("ready", "it carries requests");
            let notice = Notice { state, reason, serving: generation, failures: 0, document: None, happening };
            events.push(ConnectorEvent { slot: slot.clone(), notice }.into());
        }
    }
    events
}

fn seen(account: &Account) -> Event {
    account.with_input(|input| {
        let tunnels = view(input, &plan(input), &BTreeSet::new());
        let view = AccountView {
            account_id: Some(input.account_id.clone()),
            tunnels,
            zones: vec!["example.com".to_owned()],
            drift: BTreeMap::new(),
            ..AccountView::default()
        };
        ProvisioningEvent::Seen { account: input.account.clone(), view: Arc::new(view) }.into()
    })
}

/// What comes of it.
pub(crate) fn fold(events: &[Event]) -> Status {
    let mut status = Status::new(Timestamp::UNIX_EPOCH);
    events.iter().for_each(|event| status.fold(event, Timestamp::UNIX_EPOCH));
    status
}

/// The status of a host on which all of them are ready.
pub(crate) fn status(account: &Account) -> Status {
    fold(&events(account))
}
