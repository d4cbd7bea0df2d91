//! The architecture's rules, checked by reading the source: the order of imports and the shape of the top level.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

#[test]
fn modules_import_only_from_lines_below_their_own() {
    let lines = module_lines();
    let mut offences = Vec::new();
    for (module, own_line) in &lines {
        for file in files_of(module) {
            let text = fs::read_to_string(&file).unwrap();
            for (number, imported) in imports(&code_of(&text)) {
                let upward = lines.get(&imported).is_some_and(|line| line <= own_line);
                if upward && imported != *module {
                    offences.push(format!("{}:{number}: `{module}` imports `{imported}`", file.display()));
                }
            }
        }
    }
    assert!(offences.is_empty(), "imports that point up or sideways (the order is in src/lib.rs):\n{}", offences.join("\n"));
}

#[test]
fn every_source_file_belongs_to_a_module_of_the_map() {
    let lines = module_lines();
    for entry in fs::read_dir(source()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(
            lines.contains_key(&stem) || stem == "lib" || stem == "main",
            "{} is not in the map of src/lib.rs",
            path.display()
        );
    }
}

#[test]
fn the_top_level_shows_seven_entries() {
    let allowed = ["Cargo.lock", "Cargo.toml", "README.md", "packaging", "src", "systemd", "target", "tests"];
    for entry in fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || allowed.contains(&name.as_str()), "{name} does not belong at the top level");
    }
}

#[test]
fn every_dependency_is_used_where_it_is_declared() {
    let manifest: toml::Table =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap().parse().unwrap();
    let sources = |folder| rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let read = |files: Vec<PathBuf>| files.iter().map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>();
    let program = sources("src").into_iter().filter(|file| !is_of_tests(file)).collect();
    let program: String = read(program).iter().map(|text| code_of(text)).collect();
    let tests: String = read([sources("src"), sources("tests")].concat()).concat();
    for (kind, code) in [("dependencies", program), ("dev-dependencies", tests)] {
        for name in manifest[kind].as_table().unwrap().keys() {
            let path = format!("{}::", name.replace('-', "_"));
            let is_named =
                code.match_indices(&path).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            assert!(is_named, "nothing names {name} of [{kind}]");
        }
    }
}

#[test]
fn imports_are_found_in_every_form() {
    let found = |code: &str| imports(code).into_iter().map(|(_, module)| module).collect::<Vec<_>>();
    assert_eq!(found("use crate::plan::Step;"), ["plan"]);
    assert_eq!(found("let plan = crate::plan::plan(crate::desired::x());"), ["plan", "desired"]);
    assert_eq!(
        found("use crate::{\n    event::{Event, Sink},\n    plan::{Plan, Step},\n    name,\n};"),
        ["event", "plan", "name"]
    );
    assert_eq!(imports("\n\nuse crate::plan;"), [(3, "plan".to_owned())]);
    let lines = module_lines();
    assert!(lines["control"] < lines["plan"] && lines["plan"] < lines["config"]);
    assert_eq!(lines["reconciler"], lines["supervisor"]);
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules of `src/lib.rs` with the number of the line of the map on which each stands, counted from the top.
fn module_lines() -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    let mut current = 0;
    for line in fs::read_to_string(source().join("lib.rs")).unwrap().lines() {
        if line.starts_with("// line: ") {
            current += 1;
        } else if let Some(module) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            lines.insert(module.to_owned(), current);
        }
    }
    assert!(lines.len() > 20, "the map was not understood: {lines:?}");
    lines
}

/// `src/MODULE.rs` and everything below `src/MODULE/`, tests left out: they may use whatever helps them.
fn files_of(module: &str) -> Vec<PathBuf> {
    let own = source().join(format!("{module}.rs"));
    let mut files = rust_files(&source().join(module));
    files.retain(|file| !is_of_tests(file));
    files.extend(own.exists().then_some(own));
    files
}

fn is_of_tests(file: &Path) -> bool {
    file.file_stem().unwrap().to_str().unwrap().ends_with("tests")
}

/// Every file of Rust in a folder, at any depth; none when there is no such folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The text with its comments blanked and cut where its own tests begin, so that line numbers stay.
fn code_of(text: &str) -> String {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| if is_comment(&line) { "" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The modules that `code` names after `crate::`, alone or in a group, with the number of the line where `crate::` stands.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (offset, marker) in code.match_indices("crate::") {
        let number = code[..offset].matches('\n').count() + 1;
        let rest = &code[offset + marker.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_level(group).map(|item| (number, first_word(item).to_owned()))),
            None => found.push((number, first_word(rest).to_owned())),
        }
    }
    found
}

/// The items of a group at its first level, up to the brace that closes it; nested groups are passed over.
fn first_level(group: &str) -> impl Iterator<Item = &str> {
    let mut items = Vec::new();
    let (mut depth, mut start) = (1, 0);
    for (offset, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                items.push(&group[start..offset]);
                start = offset + 1;
            }
            _ => {}
        }
        if depth == 0 {
            items.push(&group[start..offset]);
            break;
        }
    }
    items.into_iter().map(str::trim).filter(|item| !item.is_empty())
}

fn first_word(text: &str) -> &str {
    let end = text.find(|character: char| !(character.is_alphanumeric() || character == '_')).unwrap_or(text.len());
    &text[..end]
}
