//! What others have in the account. Not a byte of it may change.

use adit::sandbox::world::{RecordKind, Snapshot, World};
use serde_json::json;

/// What was there before the daemon, all of which is somebody else's.
pub(crate) struct Foreign(Snapshot);

impl Foreign {
    /// Makes what others have: of every kind, some of it very like ours.
    pub(crate) fn make(world: &World) -> Self {
        let hand = world.dashboard();
        let account = world.account_id();
        let theirs = hand.create_tunnel(&account, "theirs").unwrap();
        // Another installation's, with a name of ours and with our form of names.
        let other = hand.create_tunnel(&account, "t3.adit-zzzzzzzz").unwrap();
        let plain = hand.create_tunnel(&account, "t4").unwrap();
        hand.put_configuration(&theirs, json!({ "ingress": [{ "service": "http_status:418" }] })).unwrap();
        hand.create_record("shop.example.com", RecordKind::A, "192.0.2.1").unwrap();
        hand.create_record("note.example.com", RecordKind::Txt, "not ours").unwrap();
        for (name, tunnel) in [("blog", &theirs), ("copy", &other), ("plain", &plain)] {
            let name = format!("{name}.example.com");
            hand.create_record(&name, RecordKind::Cname, &format!("{tunnel}.cfargotunnel.com")).unwrap();
        }
        // The marker of another installation.
        hand.edit_record("copy.example.com", json!({ "comment": "adit:zzzzzzzz:t3" })).unwrap();
        hand.create_virtual_network("lab");
        hand.create_network_route("10.0.0.0/8", "lab", &theirs).unwrap();
        hand.create_hostname_route("intra.example.com", &theirs);
        hand.create_access_app("shop.example.com");
        Self(world.snapshot())
    }

    /// How many things there are.
    pub(crate) fn count(&self) -> usize {
        self.0.tunnels.len() + self.0.records.len() + self.0.objects.values().map(|kind| kind.len()).sum::<usize>()
    }

    /// What is not as it was.
    pub(crate) fn changed(&self, now: &Snapshot) -> Vec<String> {
        let tunnels = self.0.tunnels.iter().filter(|(id, was)| now.tunnels.get(id) != Some(was));
        let records = self.0.records.iter().filter(|(id, was)| now.records.get(id) != Some(was));
        let objects = self.0.objects.iter().flat_map(|(kind, objects)| {
            let changed = move |(id, was): &(&String, &_)| now.objects.get(kind).and_then(|there| there.get(*id)) != Some(*was);
            objects.iter().filter(changed).map(move |(id, was)| format!("{kind} {id}: {was:?}"))
        });
        let tunnels = tunnels.map(|(id, was)| format!("tunnel {id}: {was:?} became {:?}", now.tunnels.get(id)));
        let records = records.map(|(id, was)| format!("record {id}: {was:?} became {:?}", now.records.get(id)));
        tunnels.chain(records).chain(objects).map(|what| format!("somebody else's {what}")).collect()
    }
}
