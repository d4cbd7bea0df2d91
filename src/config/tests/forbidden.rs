//! Origins that nobody may publish.

use super::*;

fn problems(settings: &str, service: &str) -> String {
    let ingress = format!("[tunnels.web]\ningress = [{{ service = '{service}' }}]\n");
    problems_of(parse_files(&[("main", settings), ("adit.toml", &ingress), ("account.toml", ACCOUNT)]))
}

#[track_caller]
fn assert_forbidden(settings: &str, service: &str, reason: &str) {
    let expected = format!("adit.toml:2: tunnels.web.ingress[0].service: cannot publish {service:?}: {reason}");
    assert_eq!(problems(settings, service), expected);
}

#[track_caller]
fn assert_allowed(settings: &str, service: &str) {
    assert_eq!(problems(settings, service), "", "{service}");
}

#[test]
fn adits_own_metrics_listener_is_never_published() {
    let default = "127.0.0.1:9738 is Adit's own metrics listener";
    for service in [
        "http://127.0.0.1:9738",
        "http://localhost:9738",
        "http://LOCALHOST.:9738",
        "tcp://[::1]:9738",
        "http://[::ffff:127.0.0.1]:9738",
        "http://127.1:9738",
        "http://0x7f000001:9738",
        "http://0.0.0.0:9738",
        "http://[::]:9738",
    ] {
        assert_forbidden("", service, default);
    }
    let other = "[metrics]\nlisten = '10.0.0.5:80'";
    assert_forbidden(other, "http://10.0.0.5", "10.0.0.5:80 is Adit's own metrics listener");
    assert_allowed(other, "http://127.0.0.1:80");
    assert_forbidden("[metrics]\nlisten = '[::]:9100'", "http://localhost:9100", "[::]:9100 is Adit's own metrics listener");
    assert_allowed("", "http://localhost:9739");
    assert_allowed("", "http://10.0.0.5:9738");
    assert_allowed("[metrics]\nlisten = false", "http://localhost:9738");
}

#[test]
fn connectors_metrics_are_never_published_whatever_their_port_is() {
    for service in
        ["http://127.65.68.73:34567", "tcp://[::ffff:127.65.68.73]:1", "http://0x7f414449", "http://127.65.17481:20000"]
    {
        assert_forbidden("", service, "127.65.68.73 is where connectors' metrics servers listen");
    }
    assert_allowed("", "http://127.65.68.74:34567");
}

#[test]
fn adits_own_sockets_and_folders_are_never_published() {
    let runtime = "it is inside Adit's runtime_dir (/run/adit), which holds tokens and sockets";
    assert_forbidden("", "unix:/run/adit/adit.sock", "it is Adit's own control socket");
    assert_forbidden("", "unix+tls:/var/run/adit/../adit/adit.sock", "it is Adit's own control socket");
    assert_forbidden("", "unix:/run/adit/private/notify", runtime);
    assert_forbidden("", "unix:/var/lib/adit/x", "it is inside Adit's state_dir (/var/lib/adit), which holds secrets");
    let metrics = "[metrics]\nlisten = 'unix:/srv/metrics.sock'";
    assert_forbidden(metrics, "unix:/srv/metrics.sock", "it is Adit's own metrics listener");
    let control = "[control]\nsocket = '/srv/adit.sock'";
    assert_forbidden(control, "unix:/srv/adit.sock", "it is Adit's own control socket");
    let proc = "below /proc every file of this machine has another name";
    assert_forbidden("", "unix:/proc/self/root/run/adit/adit.sock", proc);
    assert_forbidden("", "unix:/run/../proc/1/cwd/adit.sock", proc);
    assert_allowed("", "unix:/run/aditya/app.sock");
    assert_allowed("", "unix:/run/app.sock");
}

#[test]
fn cloud_metadata_and_link_local_addresses_are_never_published() {
    let link_local = |address| format!("{address} is link-local, where clouds serve this machine's credentials to whoever asks");
    for service in [
        "http://169.254.169.254",
        "http://0xa9fea9fe",
        "http://2852039166",
        "http://[::ffff:169.254.169.254]",
        "tcp://169.254.169.254:80",
        "http://169.254.169.254.",
        "http://0251.0376.0251.0376",
        "http://169.254.43518",
        "http://[::a9fe:a9fe]",
        "http://[64:ff9b::169.254.169.254]",
        "http://[2002:a9fe:a9fe::1]",
    ] {
        assert_forbidden("", service, &link_local("169.254.169.254"));
    }
    assert_forbidden("", "http://169.254.0.1:8080", &link_local("169.254.0.1"));
    assert_forbidden("", "http://[fe80::1%25eth0]:80", &link_local("fe80::1"));
    let metadata = |subject| format!("{subject} metadata service, which gives this machine's credentials to whoever asks");
    assert_forbidden("", "http://[fd00:ec2::254]", &metadata("fd00:ec2::254 is AWS's"));
    assert_forbidden("", "http://100.100.100.200", &metadata("100.100.100.200 is Alibaba Cloud's"));
    assert_forbidden("", "http://Metadata.Google.Internal.", &metadata("metadata.google.internal is a cloud's"));
    assert_allowed("", "http://[fd00::1]");
    assert_allowed("", "http://google.internal");
}
