//! The laws of what systemd, or whoever starts the daemon, passes to it, and of the mark that an earlier daemon left.

use super::{descriptor_store, run_mark};

/// Any bytes as the variables of the environment, one a line, and as the file of the mark.
pub fn systemd(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n').map(|line| Some(line.to_owned()).filter(|line| line != "-"));
    let mut next = || lines.next().flatten();
    let passed = descriptor_store::PassedDescriptors { notify_socket: next(), pid: next(), count: next(), names: next() };
    let own_pid = 7;
    let names = descriptor_store::names(&passed, own_pid);
    if !names.is_empty() {
        assert_eq!(passed.pid.as_deref().map(str::parse), Some(Ok(own_pid)), "they are for another process");
        assert_eq!(passed.count.as_deref().map(str::parse), Some(Ok(names.len())));
        assert_eq!(passed.names.as_deref(), Some(&*names.join(":")));
        assert!(u16::try_from(names.len()).is_ok());
    }
    let _ = passed.notify_socket.as_deref().and_then(descriptor_store::address);
    run_mark::fuzzing::law(bytes);
}
