//! What statements do and expressions are.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use super::parser::{Comparison, Node, Statement};

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    Tuple(Vec<Value>),
    None,
}

/// Why a program ended early.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Raised {
    /// An assertion was false; its message.
    Assertion(Option<String>),
    /// No such name.
    Name(String),
    /// Something the language forbids, in its own words.
    Error(String),
    /// Something that is not served here, by name.
    Foreign(String),
}

/// Names and what they stand for.
#[derive(Default)]
pub(super) struct Namespace {
    names: BTreeMap<String, Value>,
}

impl Namespace {
    pub(super) fn extend(&mut self, variables: impl IntoIterator<Item = (&'static str, u64)>) {
        for (name, value) in variables {
            self.names.insert(name.to_owned(), Value::Integer(value.into()));
        }
    }

    pub(super) fn run(&mut self, program: &[Statement]) -> Result<(), Raised> {
        for statement in program {
            match statement {
                Statement::Assert(condition, message) => {
                    if !self.value(condition)?.is_true() {
                        let message = message.as_ref().map(|message| self.value(message)).transpose()?;
                        return Err(Raised::Assertion(message.map(|message| message.to_string())));
                    }
                }
                Statement::Assign(name, operator, node) => {
                    let mut value = self.value(node)?;
                    if let Some(operator) = operator {
                        let before =
                            self.names.get(name).cloned().ok_or_else(|| Raised::Name(name.clone()))?;
                        value = binary(before, operator, value)?;
                    }
                    self.names.insert(name.clone(), value);
                }
                Statement::Expression(node) => drop(self.value(node)?),
            }
        }
        Ok(())
    }

    fn value(&self, node: &Node) -> Result<Value, Raised> {
        Ok(match node {
            Node::Integer(number) => Value::Integer(*number),
            Node::Float(number) => Value::Float(*number),
            Node::Text(text) => Value::Text(text.clone()),
            Node::Name(name) => self.named(name)?,
            Node::Tuple(list) => Value::Tuple(self.values(list)?),
            Node::Call(name, arguments) => call(name, &self.values(arguments)?)?,
            Node::Unary(operator, operand) => unary(operator, self.value(operand)?)?,
            Node::Binary(left, operator, right) => binary(self.value(left)?, operator, self.value(right)?)?,
            Node::Compare(first, chain) => Value::Bool(self.compare(first, chain)?),
            Node::Not(operand) => Value::Bool(!self.value(operand)?.is_true()),
            Node::And(left, right) => match self.value(left)? {
                value if value.is_true() => self.value(right)?,
                value => value,
            },
            Node::Or(left, right) => match self.value(left)? {
                value if value.is_true() => value,
                _ => self.value(right)?,
            },
            Node::If(condition, yes, no) => {
                self.value(if self.value(condition)?.is_true() { yes } else { no })?
            }
        })
    }

    fn values(&self, nodes: &[Node]) -> Result<Vec<Value>, Raised> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn named(&self, name: &str) -> Result<Value, Raised> {
        match name {
            "True" => Ok(Value::Bool(true)),
            "False" => Ok(Value::Bool(false)),
            "None" => Ok(Value::None),
            _ => self.names.get(name).cloned().ok_or_else(|| Raised::Name(name.to_owned())),
        }
    }

    fn compare(&self, first: &Node, chain: &[(Comparison, Node)]) -> Result<bool, Raised> {
        let mut left = self.value(first)?;
        for (comparison, node) in chain {
            let right = self.value(node)?;
            if !compares(&left, *comparison, &right)? {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }
}

fn compares(left: &Value, comparison: Comparison, right: &Value) -> Result<bool, Raised> {
    let order = left.order(right);
    let ordered = |is: fn(Ordering) -> bool| {
        order.map(is).ok_or_else(|| Raised::Error("TypeError: values that have no order".to_owned()))
    };
    let contains = || match right {
        Value::Tuple(list) => Ok(list.iter().any(|value| value.equals(left))),
        _ => Err(Raised::Foreign("'in' what is no tuple".to_owned())),
    };
    match comparison {
        Comparison::Equal => Ok(left.equals(right)),
        Comparison::Unequal => Ok(!left.equals(right)),
        Comparison::Less => ordered(Ordering::is_lt),
        Comparison::AtMost => ordered(Ordering::is_le),
        Comparison::Greater => ordered(Ordering::is_gt),
        Comparison::AtLeast => ordered(Ordering::is_ge),
        Comparison::In => contains(),
        Comparison::NotIn => contains().map(|is| !is),
    }
}

impl Value {
    fn is_true(&self) -> bool {
        match self {
            Value::Integer(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Bool(is) => *is,
            Value::Text(text) => !text.is_empty(),
            Value::Tuple(list) => !list.is_empty(),
            Value::None => false,
        }
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Value::Integer(number) => Some(*number),
            Value::Bool(is) => Some((*is).into()),
            Value::Float(_) | Value::Text(_) | Value::Tuple(_) | Value::None => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Value::Float(number) => Some(*number),
            // What is told of a connection is exact in 53 bits or does not matter beyond.
            other => other.integer().and_then(|number| number.to_string().parse().ok()),
        }
    }

    fn order(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
            _ => match (self.integer(), other.integer()) {
                (Some(left), Some(right)) => Some(left.cmp(&right)),
                (_, _) => self.float()?.partial_cmp(&other.float()?),
            },
        }
    }

    fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Tuple(left), Value::Tuple(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.equals(right))
            }
            (Value::None, Value::None) => true,
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }
}

fn unary(operator: &str, value: Value) -> Result<Value, Raised> {
    let wrong = || Raised::Error(format!("TypeError: bad operand type for unary {operator}"));
    match (operator, value.integer(), value.float()) {
        ("-", Some(number), _) => Ok(Value::Integer(-number)),
        ("+", Some(number), _) => Ok(Value::Integer(number)),
        ("~", Some(number), _) => Ok(Value::Integer(!number)),
        ("-", None, Some(number)) => Ok(Value::Float(-number)),
        ("+", None, Some(number)) => Ok(Value::Float(number)),
        (_, _, _) => Err(wrong()),
    }
}

fn binary(left: Value, operator: &str, right: Value) -> Result<Value, Raised> {
    if let (Value::Text(format), "%") = (&left, operator) {
        return formatted(format, right).map(Value::Text);
    }
    if let (Value::Text(left), "+", Value::Text(right)) = (&left, operator, &right) {
        return Ok(Value::Text(format!("{left}{right}")));
    }
    if let (Some(left), Some(right)) = (left.integer(), right.integer())
        && operator != "/"
    {
        return integers(left, operator, right).map(Value::Integer);
    }
    let (Some(left), Some(right)) = (left.float(), right.float()) else {
        return Err(Raised::Error(format!("TypeError: unsupported operand types for {operator}")));
    };
    match operator {
        "+" => Ok(Value::Float(left + right)),
        "-" => Ok(Value::Float(left - right)),
        "*" => Ok(Value::Float(left * right)),
        "/" | "//" | "%" if right == 0.0 => {
            Err(Raised::Error("ZeroDivisionError: division by zero".to_owned()))
        }
        "/" => Ok(Value::Float(left / right)),
        "//" => Ok(Value::Float((left / right).floor())),
        "%" => Ok(Value::Float(left - right * (left / right).floor())),
        "**" => Ok(Value::Float(left.powf(right))),
        _ => Err(Raised::Error(format!("TypeError: unsupported operand types for {operator}"))),
    }
}

fn integers(left: i128, operator: &str, right: i128) -> Result<i128, Raised> {
    let shift = || u32::try_from(right).ok().filter(|shift| *shift < 100);
    let result = match operator {
        "//" | "%" if right == 0 => {
            return Err(Raised::Error("ZeroDivisionError: integer modulo by zero".to_owned()));
        }
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        // Python rounds down, also where that is away from zero.
        "//" => Some(left.div_euclid(right) - i128::from(right < 0 && left.rem_euclid(right) != 0)),
        "%" => {
            Some(left.rem_euclid(right) + if right < 0 && left.rem_euclid(right) != 0 { right } else { 0 })
        }
        "&" => Some(left & right),
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        "<<" => shift().and_then(|shift| left.checked_mul(1i128 << shift)),
        ">>" => shift().map(|shift| left >> shift),
        "**" => u32::try_from(right).ok().and_then(|power| left.checked_pow(power)),
        _ => None,
    };
    result.ok_or_else(|| Raised::Foreign(format!("{left} {operator} {right}")))
}

/// `'%d of %s' % (1, 'a')`.
fn formatted(format: &str, values: Value) -> Result<String, Raised> {
    let mut values = match values {
        Value::Tuple(list) => list.into_iter(),
        other => vec![other].into_iter(),
    };
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let kind = characters.next();
        if kind == Some('%') {
            text.push('%');
            continue;
        }
        let missing = || Raised::Error("TypeError: not enough arguments for format string".to_owned());
        let value = values.next().ok_or_else(missing)?;
        match (kind, value.integer()) {
            (Some('d' | 'i' | 'u'), Some(number)) => text += &number.to_string(),
            (Some('x'), Some(number)) => text += &format!("{number:x}"),
            (Some('s' | 'r' | 'f' | 'd' | 'g'), _) => text += &value.to_string(),
            (_, _) => return Err(Raised::Foreign("this format of a string".to_owned())),
        }
    }
    Ok(text)
}

fn call(name: &str, arguments: &[Value]) -> Result<Value, Raised> {
    let extreme = |wanted: Ordering| {
        let mut best = arguments.first()?;
        for value in arguments {
            if value.order(best)? == wanted {
                best = value;
            }
        }
        Some(best.clone())
    };
    let foreign = || Raised::Foreign(format!("{name}()"));
    match (name, arguments) {
        // What a script prints is for who reads it while it is written.
        ("print", _) => Ok(Value::None),
        ("abs", [value]) => match (value.integer(), value.float()) {
            (Some(number), _) => Ok(Value::Integer(number.abs())),
            (None, Some(number)) => Ok(Value::Float(number.abs())),
            (None, None) => Err(foreign()),
        },
        ("min", [_, _, ..]) => extreme(Ordering::Less).ok_or_else(foreign),
        ("max", [_, _, ..]) => extreme(Ordering::Greater).ok_or_else(foreign),
        ("str", [value]) => Ok(Value::Text(value.to_string())),
        ("int", [value]) => value.integer().map(Value::Integer).ok_or_else(foreign),
        (_, _) => Err(foreign()),
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number:?}"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Text(text) => f.write_str(text),
            Value::Tuple(list) => {
                let list: Vec<_> = list.iter().map(Value::to_string).collect();
                write!(f, "({})", list.join(", "))
            }
            Value::None => f.write_str("None"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::parser::program;

    fn is_true(text: &str) -> bool {
        let statements = program(&format!("assert {text}")).unwrap();
        match Namespace::default().run(&statements) {
            Ok(()) => true,
            Err(Raised::Assertion(None)) => false,
            Err(other) => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn arithmetic_is_pythons() {
        for text in [
            "1 + 2 * 3 == 7",
            "(1 + 2) * 3 == 9",
            "7 // 2 == 3 and -7 // 2 == -4 and -7 % 2 == 1 and 7 % -2 == -1 and 7 // -2 == -4",
            "7 / 2 == 3.5",
            "0x10 | 1 == 17",
            "1 << 4 == 16 and ~0 == -1 and 6 & 3 == 2 and 6 ^ 3 == 5",
            "2 ** 3 == 8 and -2 ** 2 == -4",
            "1 < 2 < 3",
            "not 1 < 3 < 2",
            "'a' 'b' == 'ab'",
            "5 in (4, 5) and 6 not in (4, 5)",
            "(1 if 0 else 2) == 2",
            "abs(-3) == 3 and max(1, 2) == 2 and min(1, 2) == 1",
            "'%d/%s/%x%%' % (1, 'b', 255) == '1/b/ff%'",
            "None == None and True",
        ] {
            assert!(is_true(text), "{text}");
        }
        assert!(!is_true("1 == 2 or 0"));
    }

    #[test]
    fn what_is_not_read_is_named() {
        let what = |text: &str| program(text).unwrap_err();
        assert_eq!(what("for x in y: pass"), "'for'");
        assert_eq!(what("a = [1]"), "'['");
        assert_eq!(what("a.b()"), "'.'");
        let raised = Namespace::default().run(&program("len(1)").unwrap());
        assert_eq!(raised, Err(Raised::Foreign("len()".to_owned())));
    }
}
