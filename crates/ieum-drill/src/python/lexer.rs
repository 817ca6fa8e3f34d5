//! Python's words, as far as assertions have them.

/// A word.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    Name(String),
    Integer(i128),
    Float(f64),
    Text(String),
    /// An operator or bracket.
    Symbol(&'static str),
    /// The end of a statement: a line's end outside of brackets, or `;`.
    Newline,
    /// White space at the beginning of a line.
    Indent,
}

/// Longer ones first.
const SYMBOLS: &[&str] = &[
    "**=", "//=", "<<=", ">>=", "==", "!=", "<=", ">=", "<<", ">>", "**", "//", "+=", "-=", "*=", "/=", "%=",
    "&=", "|=", "^=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=", "(", ")", "[", "]", "{",
    "}", ",", ":", ".", "@",
];

/// Cuts a program into words; an error names what it cannot read.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut depth = 0usize;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\\' if rest[1..].trim_start_matches([' ', '\t', '\r']).starts_with('\n') => {
                rest.find('\n').map_or(rest.len(), |at| at + 1)
            }
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '\n' if depth > 0 => 1,
            '\n' => {
                tokens.push(Token::Newline);
                let after = rest[1..].trim_start_matches([' ', '\t']);
                let indent = rest.len() - 1 - after.len();
                if indent > 0 && !after.starts_with(['\n', '#', '\r']) && !after.is_empty() {
                    tokens.push(Token::Indent);
                }
                1 + indent
            }
            ';' => {
                tokens.push(Token::Newline);
                1
            }
            _ if first.is_whitespace() => first.len_utf8(),
            '0'..='9' => number(rest, &mut tokens)?,
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest, &mut tokens)?,
            '"' | '\'' => string(rest, first, &mut tokens)?,
            _ if first.is_alphabetic() || first == '_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                tokens.push(Token::Name(rest[..length].to_owned()));
                length
            }
            _ => {
                let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
                let symbol = symbol.ok_or_else(|| format!("the character '{first}'"))?;
                match *symbol {
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                tokens.push(Token::Symbol(symbol));
                symbol.len()
            }
        };
        rest = &rest[length..];
    }
    tokens.push(Token::Newline);
    Ok(tokens)
}

fn number(text: &str, tokens: &mut Vec<Token>) -> Result<usize, String> {
    let length =
        text.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').unwrap_or(text.len());
    let digits = text[..length].replace('_', "");
    let radix = |prefix: &str, radix| i128::from_str_radix(digits.strip_prefix(prefix)?, radix).ok();
    let integer = radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8));
    let token = match integer.or_else(|| digits.parse().ok()) {
        Some(integer) => Token::Integer(integer),
        None => Token::Float(digits.parse().map_err(|_| format!("the number {digits}"))?),
    };
    tokens.push(token);
    Ok(length)
}

fn string(text: &str, quote: char, tokens: &mut Vec<Token>) -> Result<usize, String> {
    let triple = [quote; 3].iter().collect::<String>();
    if text.starts_with(&triple) {
        return Err("strings over many lines".to_owned());
    }
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character == quote => {
                tokens.push(Token::Text(value));
                return Ok(at + 1);
            }
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, other)) => value.push(other),
                None => break,
            },
            _ => value.push(character),
        }
    }
    Err("a string without an end".to_owned())
}
