# What the scripts share that let a Python program ask a binary: the binary, a sandbox and the packages, in $work. Needs wait.sh.

# The logs of what ran, the last lines of each.
on_failure() {
    local log
    for log in "$work"/*.err "$work"/*.log "$work"/sandbox/*.log; do
        [ ! -s "$log" ] || { printf '%s:\n' "${log##*/}" && tail -n 20 "$log"; }
    done
}

# install_python REQUIREMENTS: what the file names, into $work/venv, from wherever pip is told to look.
install_python() {
    python3 -m venv "$work/venv" >"$work/venv.log" 2>&1 ||
        fail 'python3 cannot make a virtual environment: it needs Python 3.11 with venv (Debian: python3-venv)'
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$1" >"$work/pip.log" 2>&1 ||
        fail "pip cannot install what $1 names"
}

# start_sandbox OPTION...: of $adit, in $work/sandbox; its process is $sandbox.
start_sandbox() {
    mkdir "$work/sandbox"
    "$adit" sandbox --directory "$work/sandbox" "$@" >"$work/sandbox.out" 2>"$work/sandbox.err" &
    sandbox=$!
    until_true 'the sandbox is up, or has ended' sandbox_is_up_or_gone
    kill -0 "$sandbox" 2>/dev/null || fail 'the sandbox ended'
}

sandbox_is_up_or_gone() {
    [ -s "$work/sandbox/sandbox.toml" ] || ! kill -0 "$sandbox" 2>/dev/null
}
