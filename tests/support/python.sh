# What the scripts share that let a Python program ask a binary: the packages that it needs, in $work. Needs host.sh.

# install_python REQUIREMENTS: what the file names, into $work/venv, from wherever pip is told to look.
install_python() {
    python3 -m venv "$work/venv" >"$work/venv.log" 2>&1 ||
        fail 'python3 cannot make a virtual environment: it needs Python 3.11 with venv (Debian: python3-venv)'
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$1" >"$work/pip.log" 2>&1 ||
        fail "pip cannot install what $1 names"
}
