
# postinst, after the files are in place: configure [FORMER-VERSION]; and abort-upgrade, abort-remove, abort-deconfigure, when something
# else has failed and the former files are in place again. The daemon is then left as it is.
case $1 in
    configure)
        make_users_and_folders
        if systemd_runs; then
            take_over deb-systemd-invoke restart "$unit"
        fi
        say_first_steps
        ;;
    abort-upgrade | abort-remove | abort-deconfigure)
        if systemd_runs; then
            systemctl daemon-reload || true
        fi
        ;;
    *)
        warn "postinst called with unknown argument \"$1\""
        exit 1
        ;;
esac
