#!/bin/sh
# What the scripts of both packages share. Nothing in them writes below the state directory as root: it belongs to the daemon's user,
# who could have put a symbolic link there.
set -e

unit=adit.service
state=/var/lib/adit

say() { printf 'adit: %s\n' "$*"; }

warn() { printf 'adit: %s\n' "$*" >&2; }

indented() { sed 's/^/    /'; }

# Whether there is a systemd to ask. There is none in a chroot, in an image that is being built and in most containers.
systemd_runs() { [ -d /run/systemd/system ]; }

# The daemon's user, the groups that get a role, and the folder of encrypted credentials.
make_users_and_folders() {
    systemd-sysusers adit.conf
    systemd-tmpfiles --create adit.conf || warn 'cannot make the folder of encrypted credentials'
}

# Whether anybody has written a configuration: the shipped one is nothing but comments.
is_configured() { grep -qs '^[[:space:]]*[^#[:space:]]' /etc/adit/adit.toml /etc/adit/conf.d/*.toml; }

# Nothing starts by itself: what is to be done first, or next.
say_first_steps() {
    if [ -f "/etc/systemd/system/$unit" ]; then
        warn "/etc/systemd/system/$unit hides the unit of this package; if it is from an installation by hand, remove it"
    fi
    if [ "$(systemctl is-enabled "$unit" 2>/dev/null)" != disabled ]; then
        return 0
    elif is_configured; then
        say 'it is configured and not enabled; this starts it, now and at every boot: systemctl enable --now adit'
    else
        say 'it is not configured yet, and nothing was started; this asks what it must know and starts it: adit setup'
        say 'what else there is to know: /usr/share/doc/adit/operations.md'
    fi
}

# Whether the program that is installed now would start here, and what it says about that. It gets what the unit gives it, and only
# looks. It has a bound of its own; this one is for a program that is not what it should be.
would_start() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
        timeout 90 /usr/bin/adit daemon --check --config /etc/adit/adit.toml 2>&1
}

# take_over COMMAND...: the installed program takes over from the one that runs, by COMMAND, if it would start here. No tunnel is
# dropped: a restart detaches from the connectors, and the next daemon adopts them. When it would not start, the one that runs goes on,
# and the package is installed all the same: a half-configured package would block every other upgrade of the host.
take_over() {
    systemctl daemon-reload || true
    if ! systemctl is-active --quiet "$unit"; then
        return 0
    fi
    case $(systemctl is-enabled "$unit" 2>/dev/null) in
        masked*)
            warn "$unit is masked and cannot be restarted: the version that runs goes on until \"systemctl unmask adit\" and \"systemctl restart adit\""
            return 0
            ;;
    esac
    if answer=$(would_start); then
        printf '%s\n' "$answer" | indented
        "$@" || warn 'the new version did not start; its connectors run on, and systemd tries again: journalctl -u adit -n 50'
        return 0
    fi
    warn 'THE NEW VERSION WOULD NOT START HERE. The one that runs goes on, and every tunnel with it. What is in the way:'
    printf '%s\n' "$answer" | indented >&2
    warn 'set that right, look again with "adit daemon --check", then run "systemctl restart adit"'
    warn 'or install the former version again; until then, a crash or a reboot starts the new one'
}

# owner_does DIRECTORY COMMAND...: with the rights of the directory's owner.
owner_does() {
    owned=$1
    shift
    (cd / && setpriv --reuid "$(stat -c %u "$owned")" --regid "$(stat -c %g "$owned")" --clear-groups --no-new-privs "$@")
}

# What Cloudflare keeps, whatever is removed here: the tunnels that are on record, which another user wrote.
say_what_stays() {
    if [ ! -d "$state" ] || [ -L "$state" ]; then
        return 0
    fi
    tunnels=$(owner_does "$state" ls "$state/records" 2>/dev/null | sed -n 's/^\([a-z0-9][a-z0-9~-]*\)\.toml$/\1/p')
    if [ -z "$tunnels" ]; then
        return 0
    fi
    install=$(owner_does "$state" sed -n 's/^id = "\([a-z0-9]\{8\}\)"$/\1/p' "$state/install.toml" 2>/dev/null || true)
    say "AT CLOUDFLARE STAY the tunnels of this host, with their DNS records and routes${install:+ (NAME.adit-$install there)}:"
    printf '%s\n' "$tunnels" | head -n 50 | indented
    say "$1"
}
