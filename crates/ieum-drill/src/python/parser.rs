//! Statements and expressions; an error names what is not read here.

use super::lexer::{self, Token};

/// One statement.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    Assert(Node, Option<Node>),
    /// A name, an operator (`None`: plain) and a value.
    Assign(String, Option<&'static str>, Node),
    Expression(Node),
}

/// An expression.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Integer(i128),
    Float(f64),
    Text(String),
    Name(String),
    Tuple(Vec<Node>),
    Call(String, Vec<Node>),
    Unary(&'static str, Box<Node>),
    Binary(Box<Node>, &'static str, Box<Node>),
    /// `a < b <= c`.
    Compare(Box<Node>, Vec<(Comparison, Node)>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    /// `a if b else c`: the condition first.
    If(Box<Node>, Box<Node>, Box<Node>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    NotIn,
}

/// Binary operators from the weakest to the strongest.
const LEVELS: &[&[&str]] = &[&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "//", "/", "%"]];

/// Words that begin what is not read here.
const FOREIGN: &[&str] = &[
    "if", "for", "while", "def", "class", "import", "from", "try", "with", "raise", "return", "del",
    "global", "lambda", "async", "await", "yield", "else", "elif",
];

/// Reads a whole program.
pub(super) fn program(text: &str) -> Result<Vec<Statement>, String> {
    let mut parser = Parser { tokens: lexer::tokens(text)?, at: 0 };
    let mut statements = Vec::new();
    while parser.at < parser.tokens.len() {
        match &parser.tokens[parser.at] {
            Token::Newline => parser.at += 1,
            Token::Indent if statements.is_empty() => parser.at += 1,
            // A first line is stripped of its white space, so that the others stand further in: Python refuses that.
            Token::Indent => return Err("indentation".to_owned()),
            _ => {
                if let Some(statement) = parser.statement()? {
                    statements.push(statement);
                }
                if !matches!(parser.tokens.get(parser.at), None | Some(Token::Newline)) {
                    return Err(parser.what());
                }
            }
        }
    }
    Ok(statements)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    /// What stands here, for an error.
    fn what(&self) -> String {
        match self.tokens.get(self.at) {
            Some(Token::Name(name)) => format!("'{name}'"),
            Some(Token::Symbol(symbol)) => format!("'{symbol}'"),
            Some(Token::Integer(_) | Token::Float(_)) => "a number where none is expected".to_owned(),
            Some(Token::Text(_)) => "a string where none is expected".to_owned(),
            Some(Token::Newline | Token::Indent) | None => "the end of a line".to_owned(),
        }
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Symbol(found)) if *found == symbol);
        self.at += usize::from(is);
        is
    }

    fn eat_name(&mut self, name: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Name(found)) if found == name);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.eat(symbol) { Ok(()) } else { Err(self.what()) }
    }

    fn statement(&mut self) -> Result<Option<Statement>, String> {
        if let Some(Token::Name(name)) = self.tokens.get(self.at)
            && FOREIGN.contains(&name.as_str())
        {
            return Err(self.what());
        }
        if self.eat_name("pass") {
            return Ok(None);
        }
        if self.eat_name("assert") {
            let condition = self.expression()?;
            let message = if self.eat(",") { Some(self.expression()?) } else { None };
            return Ok(Some(Statement::Assert(condition, message)));
        }
        if let (Some(Token::Name(name)), Some(Token::Symbol(symbol))) =
            (self.tokens.get(self.at), self.tokens.get(self.at + 1))
            && let Some(operator) = assignment(symbol)
        {
            let name = name.clone();
            self.at += 2;
            return Ok(Some(Statement::Assign(name, operator, self.tuple()?)));
        }
        Ok(Some(Statement::Expression(self.tuple()?)))
    }

    /// Expressions with commas between them are one tuple.
    fn tuple(&mut self) -> Result<Node, String> {
        let first = self.expression()?;
        if !matches!(self.tokens.get(self.at), Some(Token::Symbol(","))) {
            return Ok(first);
        }
        let mut list = vec![first];
        while self.eat(",") {
            if matches!(self.tokens.get(self.at), None | Some(Token::Newline | Token::Symbol(")"))) {
                break;
            }
            list.push(self.expression()?);
        }
        Ok(Node::Tuple(list))
    }

    fn expression(&mut self) -> Result<Node, String> {
        let value = self.or()?;
        if !self.eat_name("if") {
            return Ok(value);
        }
        let condition = self.or()?;
        if !self.eat_name("else") {
            return Err(self.what());
        }
        Ok(Node::If(Box::new(condition), Box::new(value), Box::new(self.expression()?)))
    }

    fn or(&mut self) -> Result<Node, String> {
        let mut left = self.and()?;
        while self.eat_name("or") {
            left = Node::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Node, String> {
        let mut left = self.not()?;
        while self.eat_name("and") {
            left = Node::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Node, String> {
        if self.eat_name("not") { Ok(Node::Not(Box::new(self.not()?))) } else { self.comparison() }
    }

    fn comparison(&mut self) -> Result<Node, String> {
        let first = self.binary(0)?;
        let mut chain = Vec::new();
        while let Some(comparison) = self.comparison_sign() {
            chain.push((comparison, self.binary(0)?));
        }
        Ok(if chain.is_empty() { first } else { Node::Compare(Box::new(first), chain) })
    }

    fn comparison_sign(&mut self) -> Option<Comparison> {
        const SIGNS: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        if let Some((_, sign)) = SIGNS.iter().find(|(symbol, _)| self.eat(symbol)) {
            return Some(*sign);
        }
        if self.eat_name("in") {
            return Some(Comparison::In);
        }
        if matches!(self.tokens.get(self.at + 1), Some(Token::Name(name)) if name == "in")
            && self.eat_name("not")
        {
            self.at += 1;
            return Some(Comparison::NotIn);
        }
        None
    }

    fn binary(&mut self, level: usize) -> Result<Node, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.eat(operator)) {
            left = Node::Binary(Box::new(left), operator, Box::new(self.binary(level + 1)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, String> {
        for operator in ["-", "+", "~"] {
            if self.eat(operator) {
                return Ok(Node::Unary(operator, Box::new(self.unary()?)));
            }
        }
        let base = self.atom()?;
        if self.eat("**") {
            return Ok(Node::Binary(Box::new(base), "**", Box::new(self.unary()?)));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<Node, String> {
        let what = self.what();
        let Some(token) = self.tokens.get(self.at).cloned() else { return Err(what) };
        self.at += 1;
        match token {
            Token::Integer(number) => Ok(Node::Integer(number)),
            Token::Float(number) => Ok(Node::Float(number)),
            Token::Text(mut text) => {
                while let Some(Token::Text(more)) = self.tokens.get(self.at) {
                    text.push_str(more);
                    self.at += 1;
                }
                Ok(Node::Text(text))
            }
            Token::Name(name) if FOREIGN.contains(&name.as_str()) => Err(what),
            Token::Name(name) => {
                if matches!(self.tokens.get(self.at), Some(Token::Symbol("." | "[") | Token::Text(_))) {
                    return Err(self.what());
                }
                if self.eat("(") { Ok(Node::Call(name, self.arguments()?)) } else { Ok(Node::Name(name)) }
            }
            Token::Symbol("(") => {
                if self.eat(")") {
                    return Ok(Node::Tuple(Vec::new()));
                }
                let inner = self.tuple()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Symbol(_) | Token::Newline | Token::Indent => Err(what),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Node>, String> {
        let mut list = Vec::new();
        while !self.eat(")") {
            list.push(self.expression()?);
            if !self.eat(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(list)
    }
}

/// The operator of an assignment: `Some(None)` is the plain one.
fn assignment(symbol: &str) -> Option<Option<&'static str>> {
    const OPERATORS: [&str; 11] = ["+", "-", "*", "//", "/", "%", "&", "|", "^", "<<", ">>"];
    if symbol == "=" {
        return Some(None);
    }
    let operator = symbol.strip_suffix('=')?;
    OPERATORS.iter().find(|other| **other == operator).map(|operator| Some(*operator))
}
