//! So many of something, in words.

/// `1 tunnel`, `2 tunnels`: for nouns that take an `s`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        for (count, words) in [(0, "0 tunnels"), (1, "1 tunnel"), (2, "2 tunnels")] {
            assert_eq!(counted(count, "tunnel"), words);
        }
    }
}
