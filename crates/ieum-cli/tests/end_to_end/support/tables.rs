//! What a cell of a table in `docs/DIFFERENCES.md` stands for.

/// The words that one with alternatives in braces stands for, as in a shell: `{bound,fresh}.send` for two.
pub(crate) fn each_of(word: &str) -> Box<dyn Iterator<Item = String>> {
    let Some((before, rest)) = word.split_once('{') else {
        return Box::new(std::iter::once(word.to_owned()));
    };
    let (alternatives, after) = rest.split_once('}').unwrap_or_else(|| panic!("a brace is open: {word}"));
    let all = |alternative| each_of(after).map(move |after| format!("{before}{alternative}{after}"));
    Box::new(alternatives.split(',').flat_map(all).collect::<Vec<_>>().into_iter())
}
