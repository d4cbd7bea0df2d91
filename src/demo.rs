//! `adit demo`: the sandbox and a real daemon in a temporary directory, shown live and broken on request.
