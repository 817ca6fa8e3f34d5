//! Arguments with their names resolved.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::script::{Expr, Field};
use crate::stop::Stop;
use crate::symbols;

/// An argument's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// `...`.
    Any,
    Integer(i64),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Struct(Vec<(Option<String>, Value)>),
}

/// Works out what an expression is.
pub(super) fn value(expr: &Expr) -> Result<Value, Stop> {
    Ok(match expr {
        Expr::Ellipsis => Value::Any,
        Expr::Integer(number) => Value::Integer(*number),
        Expr::Word(name) => {
            let number = symbols::number_of(name);
            Value::Integer(number.ok_or_else(|| Stop::unsupported(format!("the constant {name}")))?)
        }
        Expr::Text(bytes) => Value::Bytes(bytes.clone()),
        Expr::Or(left, right) => match (value(left)?, value(right)?) {
            (Value::Integer(left), Value::Integer(right)) => Value::Integer(left | right),
            (left, right) => {
                return Err(Stop::failed(format!("'|' joins numbers, not {left:?} and {right:?}")));
            }
        },
        Expr::List(list) => Value::List(list.iter().map(value).collect::<Result<_, _>>()?),
        Expr::Struct(fields) => Value::Struct(
            fields
                .iter()
                .map(|Field { name, value: of }| Ok((name.clone(), value(of)?)))
                .collect::<Result<_, Stop>>()?,
        ),
        Expr::Function(name, arguments) => function(name, arguments)?,
        Expr::Foreign(what) => return Err(Stop::unsupported(*what)),
    })
}

fn function(name: &str, arguments: &[Expr]) -> Result<Value, Stop> {
    let argument = match arguments {
        [argument] => value(argument)?,
        _ => return Err(Stop::failed(format!("{name} takes one argument"))),
    };
    let wrong = || Stop::failed(format!("{name}: bad argument {argument:?}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match (name, &argument) {
        ("htons", Value::Integer(port)) => {
            let port = u16::try_from(*port).map_err(|_| wrong())?;
            Ok(Value::Integer(u16::from_ne_bytes(port.to_be_bytes()).into()))
        }
        ("htonl", Value::Integer(number)) => {
            let number = u32::try_from(*number).map_err(|_| wrong())?;
            Ok(Value::Integer(u32::from_ne_bytes(number.to_be_bytes()).into()))
        }
        ("inet_addr", Value::Bytes(bytes)) => {
            let address: Ipv4Addr = text(bytes).parse().map_err(|_| wrong())?;
            Ok(Value::Integer(u32::from_ne_bytes(address.octets()).into()))
        }
        ("inet6_addr", Value::Bytes(bytes)) => {
            let address: Ipv6Addr = text(bytes).parse().map_err(|_| wrong())?;
            Ok(Value::Bytes(address.octets().to_vec()))
        }
        (_, _) => Err(Stop::unsupported(format!("the function {name}"))),
    }
}

impl Value {
    /// A number of 32 bits, signed or not.
    pub(super) fn int(&self) -> Result<i32, Stop> {
        let Value::Integer(number) = self else {
            return Err(Stop::failed(format!("Bad type; actual: {} expected: integer", self.kind())));
        };
        let low = i32::try_from(*number).or_else(|_| u32::try_from(*number).map(u32::cast_signed));
        low.map_err(|_| Stop::failed(format!("Value out of range for 32-bit integer: {number}")))
    }

    fn kind(&self) -> &'static str {
        match self {
            Value::Any => "ellipsis",
            Value::Integer(_) => "integer",
            Value::Bytes(_) => "string",
            Value::List(_) => "list",
            Value::Struct(_) => "struct",
        }
    }

    pub(super) fn list(&self) -> Result<&[Value], Stop> {
        match self {
            Value::List(list) => Ok(list),
            Value::Any | Value::Integer(_) | Value::Bytes(_) | Value::Struct(_) => {
                Err(Stop::failed(format!("Bad type; actual: {} expected: list", self.kind())))
            }
        }
    }

    /// A field of a structure.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        let Value::Struct(fields) = self else { return None };
        fields.iter().find(|(other, _)| other.as_deref() == Some(name)).map(|(_, value)| value)
    }

    /// A field that must be there.
    pub(super) fn wanted(&self, name: &str) -> Result<&Value, Stop> {
        self.field(name)
            .ok_or_else(|| Stop::failed(format!("expected a structure with {name}, not {self:?}")))
    }

    /// The one number in brackets.
    pub(super) fn bracketed(&self) -> Result<i64, Stop> {
        match self.list()? {
            [Value::Integer(number)] => Ok(*number),
            _ => Err(Stop::failed("Expected [<element>] but got multiple elements")),
        }
    }

    /// Sizes of a list of buffers: `[{..., 1000}, {..., 20}]`.
    pub(super) fn buffers(&self) -> Result<Vec<usize>, Stop> {
        let size = |buffer: &Value| match buffer {
            Value::Struct(fields) => match fields.as_slice() {
                [(None, Value::Any), (None, size)] => usize_of(size.int()?),
                _ => Err(Stop::failed("a buffer is {..., size}")),
            },
            Value::Any | Value::Integer(_) | Value::Bytes(_) | Value::List(_) => {
                Err(Stop::failed("a buffer is {..., size}"))
            }
        };
        self.list()?.iter().map(size).collect()
    }
}

/// All arguments of a call.
pub(super) struct Arguments(Vec<Value>);

impl Arguments {
    pub(super) fn of(exprs: &[Expr]) -> Result<Arguments, Stop> {
        exprs.iter().map(value).collect::<Result<_, _>>().map(Arguments)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Must there be so many?
    pub(super) fn must_be(&self, expected: usize) -> Result<(), Stop> {
        let actual = self.count();
        if actual == expected {
            return Ok(());
        }
        Err(Stop::failed(format!("Expected {expected} args but got {actual}")))
    }

    pub(super) fn get(&self, at: usize) -> Result<&Value, Stop> {
        self.0.get(at).ok_or_else(|| Stop::failed("Argument list too short"))
    }

    pub(super) fn int(&self, at: usize) -> Result<i32, Stop> {
        self.get(at)?.int()
    }

    /// A size: a negative one is as large as Linux allows, and means nothing to it.
    pub(super) fn size(&self, at: usize) -> Result<usize, Stop> {
        usize_of(self.int(at)?)
    }

    /// Is it `...`?
    pub(super) fn is_any(&self, at: usize) -> Result<bool, Stop> {
        Ok(*self.get(at)? == Value::Any)
    }

    /// A buffer: `...`, or 0 for one that is not there.
    pub(super) fn buffer(&self, at: usize) -> Result<bool, Stop> {
        match self.get(at)? {
            Value::Any => Ok(true),
            Value::Integer(0) => Ok(false),
            Value::Integer(_) | Value::Bytes(_) | Value::List(_) | Value::Struct(_) => {
                Err(Stop::failed("Expected ... or NULL for buffer"))
            }
        }
    }
}

fn usize_of(number: i32) -> Result<usize, Stop> {
    usize::try_from(number).map_err(|_| Stop::failed(format!("a size cannot be {number}")))
}
